#include "daemon/api/connection_pool.h"

#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "daemon/base/errors.h"
#include "daemon/base/log.h"

namespace taskd {
namespace {

// What an epoll event is about; connections have the ids from kFirstConnection on, never reused.
constexpr std::uint64_t kStop = 0;
constexpr std::uint64_t kListener = 1;
constexpr std::uint64_t kTimer = 2;
constexpr std::uint64_t kFirstConnection = 3;

constexpr int kRequestsPerTurn = 16;  // of one client that pipelines, before others have a turn
constexpr int kShareOfOneUser = 4;    // nobody but root may hold more than a fourth of the waits
constexpr std::int64_t kAcceptPauseMs = 250;
constexpr std::int64_t kLastOutputMs = 1'000;  // patience with a slow reader when stopping
// Answers that wait for slow readers; beyond it such a reader is cut off.
constexpr std::size_t kMaxParkedOutputBytes = 64 << 20;

void epoll_set(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll, operation, fd, &event) != 0) throw_errno("epoll_ctl");
}

// Where one client's trouble ends; the others must not notice.
void log_failure(const std::exception& error) {
  log::error("a connection failed", {{"error", error.what()}});
}

}  // namespace

ConnectionPool::ConnectionPool(Answerer& answerer, const Clock& clock, const ServerLimits& limits)
    : answerer_(answerer),
      clock_(clock),
      limits_(limits),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
      next_id_(kFirstConnection) {
  if (!epoll_) throw_errno("epoll_create1");
  if (!timer_) throw_errno("timerfd_create");
  epoll_set(epoll_.get(), EPOLL_CTL_ADD, stop_event_.get(), EPOLLIN, kStop);
  epoll_set(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), EPOLLIN | EPOLLET, kTimer);
}

ConnectionPool::~ConnectionPool() = default;

void ConnectionPool::serve(int listen_fd) {
  const int flags = ::fcntl(listen_fd, F_GETFL);
  if (flags < 0 || ::fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    throw_errno("fcntl on the listening socket");
  }
  listen_fd_ = listen_fd;
  epoll_set(epoll_.get(), EPOLL_CTL_ADD, listen_fd, EPOLLIN | EPOLLONESHOT, kListener);
  {
    const MutexLock lock(mutex_);
    ++idle_;
  }
  work(/*stays=*/true);
  // The others end by themselves, each when its request is answered.
  for (;;) {
    std::thread thread;
    {
      const MutexLock lock(mutex_);
      if (threads_.empty()) break;
      thread = std::move(threads_.begin()->second);
      threads_.erase(threads_.begin());
    }
    thread.join();
  }
  join_ended();
  const MutexLock lock(mutex_);
  entries_.clear();
  epoll_set(epoll_.get(), EPOLL_CTL_DEL, listen_fd, 0, kListener);
}

void ConnectionPool::stop() {
  stopping_.store(true);
  stop_event_.raise();
}

// --- threads ------------------------------------------------------------------------------------

void ConnectionPool::work(bool stays) {
  while (!stopping_.load()) {
    epoll_event event{};
    const int n = ::epoll_wait(epoll_.get(), &event, 1, -1);
    if (n < 0 && errno != EINTR) throw_errno("epoll_wait");
    if (n <= 0 || event.data.u64 == kStop) continue;
    become_busy();
    handle(event.data.u64);
    if (!become_idle(stays)) return;
  }
}

void ConnectionPool::handle(EntryId id) {
  if (id == kListener) return accept_one();
  if (id == kTimer) return sweep();
  if (HttpConnection* connection = take(id)) serve_connection(id, *connection);
}

void ConnectionPool::become_busy() {
  const MutexLock lock(mutex_);
  --idle_;
  ++busy_;
  // A failure to start one is no harm here: this thread comes back.
  if (idle_ == 0 && busy_ < limits_.threads) spawn();
}

bool ConnectionPool::become_idle(bool stays) {
  const MutexLock lock(mutex_);
  --busy_;
  if (!stays && idle_ + busy_ >= limits_.threads) return false;
  ++idle_;
  return true;
}

bool ConnectionPool::spawn() {
  try {
    std::thread thread([this] { run_spawned(); });
    const auto id = thread.get_id();
    threads_.emplace(id, std::move(thread));
  } catch (const std::system_error& error) {
    log::warn("cannot start a thread for requests", {{"error", error.what()}});
    return false;
  }
  ++idle_;
  return true;
}

void ConnectionPool::run_spawned() {
  work(/*stays=*/false);
  join_ended();
  const MutexLock lock(mutex_);
  const auto self = threads_.find(std::this_thread::get_id());
  if (self == threads_.end()) return;  // serve() joins us already
  ended_.push_back(std::move(self->second));
  threads_.erase(self);
}

// Those that ended before; each is past its last statement, so this takes no time.
void ConnectionPool::join_ended() {
  std::vector<std::thread> ended;
  {
    const MutexLock lock(mutex_);
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
}

ConnectionPool::WaitSlot::WaitSlot(ConnectionPool& pool, const Actor& actor)
    : pool_(pool), uid_(actor.uid) {
  const MutexLock lock(pool_.mutex_);
  const int all = pool_.limits_.max_streams;
  const int share = actor.admin ? all : std::max(1, all / kShareOfOneUser);
  const auto of_user = pool_.waiting_of_user_.find(uid_);
  const int used = of_user == pool_.waiting_of_user_.end() ? 0 : of_user->second;
  const bool has_room = pool_.waiting_ < all && used < share;
  if (!has_room || (pool_.idle_ == 0 && !pool_.spawn())) {
    throw ProblemError(503, "too_many_requests", "too many requests wait or follow an output");
  }
  ++pool_.waiting_of_user_[uid_];
  ++pool_.waiting_;
  --pool_.busy_;
}

ConnectionPool::WaitSlot::~WaitSlot() {
  const MutexLock lock(pool_.mutex_);
  if (--pool_.waiting_of_user_[uid_] == 0) pool_.waiting_of_user_.erase(uid_);
  --pool_.waiting_;
  ++pool_.busy_;
}

// --- accepting ----------------------------------------------------------------------------------

void ConnectionPool::accept_one() {
  auto fd = accept_or_pause();
  if (!fd) return;
  try {
    auto owned = std::make_unique<HttpConnection>(std::move(*fd), limits_, clock_.boot_now());
    HttpConnection& connection = *owned;
    // A client usually writes right after it connects: often the request is here already.
    serve_connection(add(std::move(owned)), connection);
  } catch (const std::exception& error) {
    log_failure(error);
  }
}

// The listener is armed again before the connection is served, so that others can accept the next.
std::optional<UniqueFd> ConnectionPool::accept_or_pause() {
  for (;;) {
    UniqueFd fd(::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const int error = errno;
    if (!fd && (error == EINTR || error == ECONNABORTED)) continue;
    const MutexLock lock(mutex_);
    if (fd || error == EAGAIN || error == EWOULDBLOCK) {
      listen_again();
      return fd ? std::optional(std::move(fd)) : std::nullopt;
    }
    const bool no_descriptor = error == EMFILE || error == ENFILE;
    if (no_descriptor && evict_oldest()) continue;
    log::warn("accepting pauses", {{"error", std::generic_category().message(error)}});
    accept_again_at_ = clock_.boot_now() + kAcceptPauseMs;
    wake_by(*accept_again_at_);
    return std::nullopt;
  }
}

void ConnectionPool::listen_again() {
  epoll_set(epoll_.get(), EPOLL_CTL_MOD, listen_fd_, EPOLLIN | EPOLLONESHOT, kListener);
}

// --- one connection -----------------------------------------------------------------------------

void ConnectionPool::serve_connection(EntryId id, HttpConnection& connection) {
  try {
    const Next next = advance(connection);
    if (next.events != 0 && !stopping_.load()) return park(id, next);
    if (next.events != 0 && connection.has_output()) connection.send_all(kLastOutputMs, -1);
  } catch (const std::exception& error) {
    log_failure(error);
  }
  close(id);
}

ConnectionPool::Next ConnectionPool::advance(HttpConnection& connection) {
  constexpr Next kClose{};
  const BootTime now = clock_.boot_now();
  if (connection.lingering()) return connection.drain() ? Next{EPOLLIN} : kClose;
  if (connection.has_output()) {
    if (!connection.send_some(now)) return kClose;
    if (connection.has_output()) return {EPOLLOUT};
  }
  if (connection.closing()) return kClose;
  if (!connection.receive(now)) return kClose;
  return answer_requests(connection);
}

// In the order they came in, each answer sent before the next request is looked at.
ConnectionPool::Next ConnectionPool::answer_requests(HttpConnection& connection) {
  constexpr Next kClose{};
  for (int turn = 0; turn < kRequestsPerTurn; ++turn) {
    bool readable = true;
    try {
      const auto request = connection.next_request(clock_.boot_now());
      if (!request) return connection.at_end() ? kClose : Next{EPOLLIN | EPOLLRDHUP};
      answerer_.answer(connection, *request);
      connection.consume(clock_.boot_now());
    } catch (const ProblemError& error) {
      answerer_.refuse(connection, error);
      readable = false;
    }
    const BootTime now = clock_.boot_now();
    if (!connection.send_some(now)) return kClose;
    if (!readable) {
      if (connection.has_output()) return kClose;
      connection.start_lingering(now);
      return connection.drain() ? Next{EPOLLIN} : kClose;
    }
    if (connection.has_output()) return {EPOLLOUT};
    if (connection.closing()) return kClose;
  }
  return {EPOLLOUT};  // which is ready at once
}

// --- parking ------------------------------------------------------------------------------------

ConnectionPool::EntryId ConnectionPool::add(std::unique_ptr<HttpConnection> connection) {
  const MutexLock lock(mutex_);
  if (entries_.size() >= limits_.max_connections) evict_oldest();
  const EntryId id = next_id_++;
  entries_[id].connection = std::move(connection);
  return id;
}

// Nothing when the connection was closed before its event was heard.
HttpConnection* ConnectionPool::take(EntryId id) {
  const MutexLock lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end() || !entry->second.parked) return nullptr;
  unpark(entry->second);
  return entry->second.connection.get();
}

void ConnectionPool::park(EntryId id, Next next) {
  const MutexLock lock(mutex_);
  Entry& entry = entries_.at(id);
  HttpConnection& connection = *entry.connection;
  if (parked_output_bytes_ + connection.output_bytes() > kMaxParkedOutputBytes) {
    log::warn("a slow reader is cut off: too many answers wait", {{"uid", connection.peer().uid}});
    entries_.erase(id);
    return;
  }
  // Under the lock: once it is armed another thread may hear of it, and sweep() may close it.
  const int operation = std::exchange(entry.registered, true) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  epoll_set(epoll_.get(), operation, connection.fd(), next.events | EPOLLONESHOT, id);
  entry.parked = true;
  entry.parked_order = ++parkings_;
  entry.deadline = connection.deadline();
  entry.output_bytes = connection.output_bytes();
  parked_output_bytes_ += entry.output_bytes;
  wake_by(entry.deadline);
}

void ConnectionPool::unpark(Entry& entry) {
  entry.parked = false;
  parked_output_bytes_ -= std::exchange(entry.output_bytes, 0);
}

void ConnectionPool::close(EntryId id) {
  const MutexLock lock(mutex_);
  entries_.erase(id);
}

bool ConnectionPool::evict_oldest() {
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (!it->second.parked) continue;
    if (oldest == entries_.end() || it->second.parked_order < oldest->second.parked_order) {
      oldest = it;
    }
  }
  if (oldest == entries_.end()) return false;
  unpark(oldest->second);
  entries_.erase(oldest);
  return true;
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
    if (!entry.parked || entry.deadline > now) {
      if (entry.parked) wake_by(entry.deadline);
      ++it;
      continue;
    }
    unpark(entry);
    if (entry.connection->in_request()) {
      answerer_.refuse(*entry.connection,
                       ProblemError(408, "request_timeout", "the request took too long to arrive"));
      entry.connection->send_some(now);
    }
    it = entries_.erase(it);
  }
}

// The timer runs only towards the nearest deadline; one that went away meanwhile costs one wake-up.
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
