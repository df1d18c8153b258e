#include "daemon/api/http/connection_pool.h"

#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/request_limits.h"
#include "daemon/api/http/users.h"
#include "daemon/base/errors.h"
#include "daemon/base/log.h"
#include "daemon/base/memory.h"

namespace taskd {
namespace {

// The tags of epoll events; connections have ids from kFirstConnection on, never reused.
constexpr std::uint64_t kStop = 0;
constexpr std::uint64_t kListener = 1;
constexpr std::uint64_t kTimer = 2;
constexpr std::uint64_t kReady = 3;
constexpr std::uint64_t kFirstConnection = 4;

constexpr int kRequestsPerTurn = 16;  // pipelined requests of one client, before others get a turn
constexpr std::int64_t kAcceptPauseMs = 250;
constexpr std::int64_t kLastOutputMs = 1'000;  // patience with a slow reader at shutdown
// As many concurrent reads as the store has readers, minus one, which changes need for their
// answers.
constexpr std::int64_t kReads = 8;

// Some threads never answer requests that take long.
std::int64_t turns_of(int threads) {
  return std::max(1, threads - 2);
}

ShareLimits share_limits(const ServerLimits& limits) {
  ShareLimits all{};
  const auto set = [&](Holding resource, auto total, std::int64_t reserve, std::int64_t share) {
    all[static_cast<std::size_t>(resource)] = {static_cast<std::int64_t>(total), reserve,
                                               std::max<std::int64_t>(share, 1)};
  };
  const auto part = [](auto of, std::int64_t divisor) {
    return static_cast<std::int64_t>(of) / divisor;
  };
  const std::int64_t turns = turns_of(limits.threads);
  set(Holding::connections, limits.max_connections, part(limits.max_connections, 64),
      part(limits.max_connections, 2));
  set(Holding::request_bytes, limits.max_request_bytes, part(limits.max_request_bytes, 16),
      part(limits.max_request_bytes, 2));
  set(Holding::output_bytes, limits.max_output_bytes, part(limits.max_output_bytes, 16),
      part(limits.max_output_bytes, 2));
  set(Holding::work_bytes, limits.max_work_bytes, part(limits.max_work_bytes, 8),
      part(limits.max_work_bytes, 4));
  set(Holding::turns, turns, turns / 12, turns * 3 / 4);
  // One user's reads leave one processor to the others.
  const std::int64_t processors = std::thread::hardware_concurrency();
  set(Holding::reads, kReads, 1, std::min(kReads / 2, processors - 1));
  set(Holding::waits, limits.max_waits, part(limits.max_waits, 32), part(limits.max_waits, 2));
  set(Holding::streams, limits.max_streams, part(limits.max_streams, 32),
      part(limits.max_streams, 4));
  return all;
}

void epoll_set(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll, operation, fd, &event) != 0) throw_errno("epoll_ctl");
}

// One client's failure must not affect the others.
void log_failure(const std::exception& error) {
  log::error("a connection failed", {{"error", error.what()}});
}

ProblemError stopping() {
  return ProblemError(503, "shutting_down", "the daemon is stopping");
}

// The error for holding too much.
ProblemError too_much(bool waits) {
  return ProblemError(503, "too_many_requests",
                      waits ? "too many of your requests wait already"
                            : "your incomplete requests use all the memory that one "
                              "user may have");
}

}  // namespace

ConnectionPool::ConnectionPool(Answerer& answerer, const Clock& clock, const ServerLimits& limits)
    : answerer_(answerer),
      clock_(clock),
      limits_(limits),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
      shares_(share_limits(limits)),
      next_id_(kFirstConnection) {
  if (!epoll_) throw_errno("epoll_create1");
  if (!timer_) throw_errno("timerfd_create");
  epoll_set(epoll_.get(), EPOLL_CTL_ADD, stop_event_.get(), EPOLLIN, kStop);
  epoll_set(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), EPOLLIN | EPOLLET, kTimer);
  epoll_set(epoll_.get(), EPOLL_CTL_ADD, ready_event_.get(), EPOLLIN | EPOLLET, kReady);
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
  // The other threads end by themselves, each once its request is answered.
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
  for (const EntryId id : unanswered()) {
    if (HttpConnection* connection = take(id)) serve_connection(id, *connection);
  }
  const MutexLock lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) entry = drop(entry);
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
    if (memory_is_free_.exchange(false)) release_free_memory();
    if (!become_idle(stays)) return;
  }
}

void ConnectionPool::handle(std::uint64_t event) {
  if (event == kListener) return accept_one();
  if (event == kTimer) return sweep();
  const EntryId id = event == kReady ? next_ready() : event;
  if (HttpConnection* connection = take(id)) serve_connection(id, *connection);
}

void ConnectionPool::become_busy() {
  const MutexLock lock(mutex_);
  --idle_;
  ++busy_;
  // Failing to start one does no harm: this thread comes back.
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

// Threads that ended before are past their last statement, so this takes no time.
void ConnectionPool::join_ended() {
  std::vector<std::thread> ended;
  {
    const MutexLock lock(mutex_);
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
}

// --- accepting ----------------------------------------------------------------------------------

void ConnectionPool::accept_one() {
  auto fd = accept_or_pause();
  if (!fd) return;
  try {
    auto owned = std::make_unique<HttpConnection>(std::move(*fd), limits_, clock_.boot_now());
    HttpConnection& connection = *owned;
    // A client usually writes right after it connects, so the request is often here already.
    if (const auto id = add(std::move(owned))) serve_connection(*id, connection);
  } catch (const std::exception& error) {
    log_failure(error);
  }
}

// Arms the listener again before the connection is served, so that others can accept the next.
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
    const auto most = shares_.largest_holder(Holding::connections);
    if (no_descriptor && most && cut_one_of(*most, Holding::connections)) continue;
    log::warn("pausing to accept connections", {{"error", std::generic_category().message(error)}});
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
    Then then = advance(id, connection);
    if (stopping_.load()) {
      answer_last(id, connection, then);
      return close(id);
    }
    if (then != Then::close && park(id, then)) return;
    // It holds more than it may. (Part of an answer has been sent already.)
    if (then != Then::close && then != Then::output) {
      then = refuse(connection, too_much(then == Then::wait));
      if (then != Then::close && park(id, then)) return;
    }
  } catch (const std::exception& error) {
    log_failure(error);
  }
  close(id);
}

void ConnectionPool::answer_last(EntryId id, HttpConnection& connection, Then then) {
  if (then == Then::wait) answer_requests(id, connection);  // those who are asked know
  if (then == Then::turn) answerer_.refuse(connection, stopping());
  if (connection.has_output()) connection.send_all(kLastOutputMs, -1);
}

ConnectionPool::Then ConnectionPool::advance(EntryId id, HttpConnection& connection) {
  const BootTime now = clock_.boot_now();
  if (connection.lingering()) return connection.drain() ? Then::input : Then::close;
  if (connection.wait() != nullptr) {
    return connection.is_broken() ? Then::close : answer_requests(id, connection);
  }
  if (connection.has_output()) {
    if (!connection.send_some(now)) return Then::close;
    if (connection.has_output()) return Then::output;
  }
  if (connection.closing()) return Then::close;
  if (!connection.receive(now)) return Then::close;
  return answer_requests(id, connection);
}

// In order of arrival; each answer is sent before the next request is read.
ConnectionPool::Then ConnectionPool::answer_requests(EntryId id, HttpConnection& connection) {
  for (int n = 0; n < kRequestsPerTurn; ++n) {
    try {
      const auto request = connection.next_request(clock_.boot_now());
      if (!request) return connection.at_end() ? Then::close : Then::input;
      auto turn = begin_turn(id, *request);
      if (!turn) return Then::turn;
      answerer_.answer(connection, *request, *turn);
      if (connection.wait() != nullptr && !connection.has_output()) return Then::wait;
      connection.consume(clock_.boot_now());
    } catch (const ProblemError& error) {
      return refuse(connection, error);
    }
    if (!connection.send_some(clock_.boot_now())) return Then::close;
    if (connection.has_output()) return Then::output;
    if (connection.closing()) return Then::close;
  }
  return Then::output;  // which is ready at once
}

ConnectionPool::Then ConnectionPool::refuse(HttpConnection& connection, const ProblemError& error) {
  answerer_.refuse(connection, error);
  const BootTime now = clock_.boot_now();
  if (!connection.send_some(now) || connection.has_output()) return Then::close;
  connection.start_lingering(now);
  return connection.drain() ? Then::input : Then::close;
}

}  // namespace taskd
