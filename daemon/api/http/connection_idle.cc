// Parking of connections, and who loses one when they hold too much.
#include <sys/timerfd.h>

#include <algorithm>
#include <utility>

#include "daemon/api/http/connection_pool.h"
#include "daemon/api/http/problem.h"
#include "daemon/api/http/users.h"
#include "daemon/base/errors.h"
#include "daemon/base/log.h"

namespace taskd {
namespace {

constexpr std::int64_t kLogPauseMs = 60'000;
// Memory is returned to the system if at least this much was held and most of it is free again.
constexpr std::int64_t kMuchMemoryBytes = 16 << 20;

std::uint32_t events_of(bool input, bool output) {
  // Hang-ups are always reported.
  return (input ? EPOLLIN | EPOLLRDHUP : 0U) | (output ? EPOLLOUT : 0U) | EPOLLONESHOT;
}

void watch(int epoll, bool is_new, int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0) {
    throw_errno("epoll_ctl");
  }
}

}  // namespace

std::optional<ConnectionPool::EntryId> ConnectionPool::add(
    std::unique_ptr<HttpConnection> connection) {
  const MutexLock lock(mutex_);
  const EntryId id = next_id_++;
  Entry& entry = entries_[id];
  entry.actor = actor_of(connection->peer());
  entry.connection = std::move(connection);
  if (hold(entry, Holding::connections, 1)) return id;
  entries_.erase(id);
  return std::nullopt;
}

// Returns nothing if the connection was closed before its event was handled.
HttpConnection* ConnectionPool::take(EntryId id) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.parked) return nullptr;
  Entry& entry = found->second;
  if (entry.then == Then::turn && !entry.granted && !stopping_.load()) {
    if (entry.connection->is_broken()) {
      drop(found);
    } else {
      arm(id, entry);
    }
    return nullptr;
  }
  unpark(entry);
  return entry.connection.get();
}

bool ConnectionPool::park(EntryId id, Then then) {
  const MutexLock lock(mutex_);
  Entry& entry = entries_.at(id);
  const HttpConnection& connection = *entry.connection;
  entry.then = then;
  entry.parked_order = ++parkings_;
  const bool held = hold(entry, Holding::request_bytes, connection.request_bytes()) &&
                    hold(entry, Holding::output_bytes, connection.output_bytes()) &&
                    hold(entry, Holding::waits, then == Then::wait ? 1 : 0);
  if (!held) {
    unpark(entry);
    tell_of_cut(entry.actor.uid);
    return false;
  }
  entry.deadline = connection.deadline();
  if (then == Then::wait) entry.deadline = connection.wait()->deadline();
  if (then == Then::turn) entry.deadline = clock_.boot_now() + limits_.turn_time_ms;
  // Under the lock: once armed, another thread may get its event, and sweep() may close it.
  arm(id, entry);
  entry.parked = true;
  wake_by(entry.deadline);
  if (then == Then::turn) {
    turn_lines_[entry.actor.uid].push_back(id);
    grant_turns();  // a turn may have become free since it was requested
  }
  return true;
}

void ConnectionPool::arm(EntryId id, Entry& entry) {
  const bool is_new = !std::exchange(entry.registered, true);
  watch(epoll_.get(), is_new, entry.connection->fd(),
        events_of(entry.then == Then::input, entry.then == Then::output), id);
  if (entry.then != Then::wait) return;
  HttpWait& wait = *entry.connection->wait();
  watch(epoll_.get(), !std::exchange(wait.is_watched, true), wait.fd(), events_of(true, false), id);
}

// Releases what it holds for being parked.
void ConnectionPool::unpark(Entry& entry) {
  entry.parked = false;
  for (const Holding resource : {Holding::request_bytes, Holding::output_bytes, Holding::waits}) {
    shares_.give_back(entry.actor.uid, resource,
                      std::exchange(entry.held[static_cast<std::size_t>(resource)], 0));
  }
  note_memory();
}

ConnectionPool::Entries::iterator ConnectionPool::drop(Entries::iterator found) {
  Entry& entry = found->second;
  unpark(entry);
  shares_.give_back(entry.actor.uid, Holding::connections,
                    entry.held[static_cast<std::size_t>(Holding::connections)]);
  const bool had_turn = std::exchange(entry.granted, false);
  if (had_turn) {
    give_turn_back(entry.actor, entry.cost);
    throttle_.ended(entry.actor.uid, 0, clock_.boot_now());
  }
  const auto next = entries_.erase(found);
  return next;
}

void ConnectionPool::close(EntryId id) {
  const MutexLock lock(mutex_);
  drop(entries_.find(id));
  if (!turn_lines_.empty()) grant_turns();
}

void ConnectionPool::note_memory() {
  const std::int64_t now = shares_.held(Holding::request_bytes) +
                           shares_.held(Holding::output_bytes) + shares_.held(Holding::work_bytes);
  most_memory_ = std::max(most_memory_, now);
  if (most_memory_ < kMuchMemoryBytes || now > most_memory_ / 4) return;
  most_memory_ = now;
  memory_is_free_.store(true);
}

bool ConnectionPool::hold(Entry& entry, Holding resource, std::size_t bytes_or_count) {
  const auto amount = static_cast<std::int64_t>(bytes_or_count);
  if (amount == 0) return true;
  for (;;) {
    const auto verdict = shares_.take(entry.actor, resource, amount);
    if (verdict == UserShares::Verdict::granted) {
      entry.held[static_cast<std::size_t>(resource)] += amount;
      note_memory();
      return true;
    }
    const std::uint32_t self = entry.actor.uid;
    std::uint32_t loser = self;
    if (verdict == UserShares::Verdict::used_up) {
      loser = shares_.largest_holder(resource).value_or(self);
      if (shares_.held_by(self, resource) + amount > shares_.held_by(loser, resource)) loser = self;
    }
    // Among the user's own, an older connection or a larger answer loses; otherwise the new one
    // does.
    const bool own = loser == self;
    if (own && resource != Holding::connections && resource != Holding::output_bytes) return false;
    const std::int64_t above = own && resource == Holding::output_bytes ? amount : 0;
    if (!cut_one_of(loser, resource, above)) return false;
  }
}

// Closes the user's parked connection that holds most of the resource, and more than `above`; among
// equals the one parked longest.
bool ConnectionPool::cut_one_of(std::uint32_t uid, Holding resource, std::int64_t above) {
  const auto i = static_cast<std::size_t>(resource);
  auto worst = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const Entry& entry = it->second;
    if (!entry.parked || entry.actor.uid != uid || entry.held[i] <= above) continue;
    const bool worse =
        worst == entries_.end() || entry.held[i] > worst->second.held[i] ||
        (entry.held[i] == worst->second.held[i] && entry.parked_order < worst->second.parked_order);
    if (worse) worst = it;
  }
  if (worst == entries_.end()) return false;
  tell_of_cut(uid);
  HttpConnection& connection = *worst->second.connection;
  if (connection.in_request()) {
    answerer_.refuse(connection,
                     ProblemError(503, "too_many_requests",
                                  "other users need the resources that your requests hold"));
    connection.send_some(clock_.boot_now());
  }
  drop(worst);
  if (!turn_lines_.empty()) grant_turns();  // it may have had a turn that nobody took yet
  return true;
}

// Logs at most once a minute, since the user controls how often it happens.
void ConnectionPool::tell_of_cut(std::uint32_t uid) {
  const BootTime now = clock_.boot_now();
  if (told_of_cut_at_ && now - *told_of_cut_at_ < kLogPauseMs) return;
  told_of_cut_at_ = now;
  log::warn("refusing requests: their user holds too much of the server", {{"uid", uid}});
}

std::vector<ConnectionPool::EntryId> ConnectionPool::unanswered() const {
  const MutexLock lock(mutex_);
  std::vector<EntryId> ids;
  for (const auto& [id, entry] : entries_) {
    if (entry.then == Then::wait || entry.then == Then::turn) ids.push_back(id);
  }
  return ids;
}

void ConnectionPool::sweep() {
  const MutexLock lock(mutex_);
  timer_at_.reset();
  const BootTime now = clock_.boot_now();
  if (accept_again_at_ && *accept_again_at_ <= now) {
    accept_again_at_.reset();
    listen_again();
  }
  if (accept_again_at_) wake_by(*accept_again_at_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    HttpConnection& connection = *entry.connection;
    if (!entry.parked || entry.deadline > now) {
      if (entry.parked) wake_by(entry.deadline);
      ++it;
      continue;
    }
    if (entry.then == Then::wait || entry.granted) {
      // Its answer is ready, and a thread will take it.
      if (entry.then == Then::wait) make_ready(it->first);
      entry.deadline = now + limits_.turn_time_ms;
      wake_by(entry.deadline);
      ++it;
      continue;
    }
    if (entry.then == Then::turn && must_pause(entry.actor)) {
      // The user's pauses do not count as waiting for other requests: the line moves on, by at
      // least one request in two seconds.
      entry.deadline = now + limits_.turn_time_ms;
      wake_by(entry.deadline);
      ++it;
      continue;
    }
    if (connection.in_request()) {
      answerer_.refuse(
          connection,
          entry.then == Then::turn
              ? ProblemError(503, "too_many_requests",
                             "your other requests took too long to let this one proceed")
              : ProblemError(408, "request_timeout", "the request took too long to arrive"));
      connection.send_some(now);
    }
    it = drop(it);
  }
  if (!turn_lines_.empty()) grant_turns();
}

// Sets the timer to the nearest deadline; a deadline that disappeared costs one wake-up.
void ConnectionPool::wake_by(BootTime deadline) {
  if (timer_at_ && *timer_at_ <= deadline) return;
  timer_at_ = deadline;
  const std::int64_t ms = std::max<std::int64_t>(deadline - clock_.boot_now(), 1);
  itimerspec spec{};
  spec.it_value.tv_sec = ms / 1000;
  spec.it_value.tv_nsec = ms % 1000 * 1'000'000;
  if (::timerfd_settime(timer_.get(), 0, &spec, nullptr) != 0) throw_errno("timerfd_settime");
}

}  // namespace taskd
