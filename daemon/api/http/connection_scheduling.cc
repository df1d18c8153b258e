// Which requests are answered now, and which wait.
#include <algorithm>

#include "daemon/api/http/connection_pool.h"
#include "daemon/api/http/problem.h"

namespace taskd {
namespace {

// Parsing a body up to this size takes so little memory that it is not counted.
constexpr std::size_t kSmallBodyBytes = 16 * 1024;
// Upper bound for a value and the slot it is stored in; a value begins at each of these characters.
constexpr std::string_view kBeforeValues = "[{,:";
constexpr std::int64_t kBytesOfValue = 64;

// Upper bound for a parsed body, beyond the body itself: its text again, and its values.
std::int64_t work_bytes_of(std::string_view body) {
  if (body.size() <= kSmallBodyBytes) return 0;
  const auto values = std::count_if(body.begin(), body.end(), [](char c) {
    return kBeforeValues.find(c) != std::string_view::npos;
  });
  return 2 * static_cast<std::int64_t>(body.size()) + kBytesOfValue * values;
}

// Whether a request mostly writes: a submit, or a change of one thing. All others occupy a store
// reader most of the time, whatever their method.
bool is_write(const HttpHead& head) {
  const bool is_look = head.method == "GET" || head.method == "HEAD";
  const bool is_of_many =
      head.path.find(':') != head.path.npos || head.path.starts_with("/v1/workflows/");
  return !is_look && !is_of_many;
}

ProblemError too_large() {
  return ProblemError(413, "body_too_large",
                      "the body would take more memory than there is for requests: it has too many "
                      "values; send fewer at once");
}

}  // namespace

ConnectionPool::Turn::Cost ConnectionPool::cost_of(const HttpRequest& request) {
  // Answered by any thread, since it checks whether one is free.
  if (request.head.path == "/v1/healthz") return {};
  return {true, !is_write(request.head), work_bytes_of(request.body)};
}

std::optional<ConnectionPool::Turn> ConnectionPool::begin_turn(EntryId id,
                                                               const HttpRequest& request) {
  {
    const MutexLock lock(mutex_);
    Entry& entry = entries_.at(id);
    if (std::exchange(entry.granted, false)) {
      return Turn(*this, entry.actor, entry.cost, cpu_us_for_thread() - entry.looked_at_us);
    }
  }
  const std::int64_t begun_us = cpu_us_for_thread();
  const Turn::Cost cost = cost_of(request);
  const MutexLock lock(mutex_);
  Entry& entry = entries_.at(id);
  throttle_.arrived(entry.actor.uid, clock_.boot_now());
  if (!cost.counts) return Turn(*this, entry.actor, cost, begun_us);
  if (!shares_.fits(entry.actor, Holding::work_bytes, cost.work_bytes)) throw too_large();
  if (!turn_lines_.contains(entry.actor.uid) && take_turn(entry.actor, cost)) {
    return Turn(*this, entry.actor, cost, begun_us);
  }
  entry.cost = cost;
  entry.looked_at_us = cpu_us_for_thread() - begun_us;
  return std::nullopt;
}

bool ConnectionPool::take_turn(const Actor& actor, const Turn::Cost& cost) {
  const auto take = [&](Holding resource, std::int64_t amount) TASKD_REQUIRES(mutex_) {
    return shares_.take(actor, resource, amount) == UserShares::Verdict::granted;
  };
  if (must_pause(actor)) return false;
  if (!take(Holding::turns, 1)) return false;
  if (cost.reads && !take(Holding::reads, 1)) {
    shares_.give_back(actor.uid, Holding::turns, 1);
    return false;
  }
  if (!take(Holding::work_bytes, cost.work_bytes)) {
    give_turn_back(actor, {true, cost.reads, 0});
    return false;
  }
  throttle_.begun(actor.uid);
  return true;
}

bool ConnectionPool::must_pause(const Actor& actor) {
  if (actor.admin || stopping_.load()) return false;
  const auto until = throttle_.pauses_until(actor.uid, clock_.boot_now());
  if (until) wake_by(*until);
  return until.has_value();
}

void ConnectionPool::give_turn_back(const Actor& actor, const Turn::Cost& cost) {
  if (!cost.counts) return;
  shares_.give_back(actor.uid, Holding::turns, 1);
  if (cost.reads) shares_.give_back(actor.uid, Holding::reads, 1);
  if (cost.work_bytes == 0) return;
  note_memory();
  shares_.give_back(actor.uid, Holding::work_bytes, cost.work_bytes);
  note_memory();
}

// Gives turns to the first request of each user, starting with users who hold the fewest, while
// turns last.
void ConnectionPool::grant_turns() {
  const auto is_waiting = [&](EntryId id) TASKD_REQUIRES(mutex_) {
    const auto found = entries_.find(id);
    return found != entries_.end() && found->second.parked && found->second.then == Then::turn &&
           !found->second.granted;
  };
  for (bool granted = true; granted;) {
    granted = false;
    std::vector<std::pair<std::int64_t, std::uint32_t>> users;  // by number of turns held
    for (auto line = turn_lines_.begin(); line != turn_lines_.end();) {
      auto& ids = line->second;
      while (!ids.empty() && !is_waiting(ids.front())) ids.pop_front();
      if (!ids.empty())
        users.emplace_back(shares_.held_by(line->first, Holding::turns), line->first);
      line = ids.empty() ? turn_lines_.erase(line) : std::next(line);
    }
    std::sort(users.begin(), users.end());
    for (const auto& [held, uid] : users) {
      const EntryId id = turn_lines_.at(uid).front();
      Entry& entry = entries_.at(id);
      if (!take_turn(entry.actor, entry.cost)) continue;
      entry.granted = true;
      turn_lines_.at(uid).pop_front();
      make_ready(id);
      granted = true;
      break;
    }
  }
}

void ConnectionPool::make_ready(EntryId id) {
  ready_.push_back(id);
  ready_event_.raise();
}

ConnectionPool::EntryId ConnectionPool::next_ready() {
  const MutexLock lock(mutex_);
  if (ready_.empty()) return 0;
  const EntryId id = ready_.front();
  ready_.pop_front();
  if (!ready_.empty()) ready_event_.raise();  // two may have been signalled as one
  return id;
}

void ConnectionPool::end_turn(const Actor& actor, const Turn::Cost& cost, std::int64_t cpu_us) {
  const MutexLock lock(mutex_);
  throttle_.ended(actor.uid, cpu_us, clock_.boot_now());
  give_turn_back(actor, cost);
  if (!turn_lines_.empty()) grant_turns();
}

void ConnectionPool::Turn::end() {
  ConnectionPool* pool = std::exchange(pool_, nullptr);
  if (pool != nullptr && cost_.counts) {
    pool->end_turn(actor_, cost_, cpu_us_for_thread() - begun_us_);
  }
}

void ConnectionPool::Turn::grow(std::int64_t work_bytes) {
  if (pool_ == nullptr) return;
  const MutexLock lock(pool_->mutex_);
  const auto verdict =
      pool_->shares_.take(actor_, Holding::work_bytes, work_bytes, cost_.work_bytes);
  if (verdict != UserShares::Verdict::granted) {
    throw ProblemError(503, "too_many_requests",
                       "the requests in progress use all the memory for requests");
  }
  cost_.work_bytes += work_bytes;
}

ConnectionPool::StreamSlot::StreamSlot(ConnectionPool& pool, const Actor& actor, Turn& turn)
    : pool_(pool), uid_(actor.uid), begun_us_(cpu_us_for_thread()) {
  {
    const MutexLock lock(pool.mutex_);
    const bool has_room =
        pool.shares_.take(actor, Holding::streams, 1) == UserShares::Verdict::granted;
    if (!has_room || (pool.idle_ == 0 && !pool.spawn())) {
      if (has_room) pool.shares_.give_back(uid_, Holding::streams, 1);
      throw ProblemError(503, "too_many_requests", "too many requests follow an output");
    }
    --pool.busy_;
  }
  turn.end();
}

ConnectionPool::StreamSlot::~StreamSlot() {
  const MutexLock lock(pool_.mutex_);
  pool_.shares_.give_back(uid_, Holding::streams, 1);
  pool_.throttle_.charge(uid_, cpu_us_for_thread() - begun_us_, pool_.clock_.boot_now());
  ++pool_.busy_;
}

}  // namespace taskd
