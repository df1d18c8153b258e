// Accepts connections, parks the idle ones in epoll, and has whole requests answered by a small set
// of threads.
//
// Every thread waits in the same epoll instance, and the one that hears of an event does all that
// follows from it, so a request wakes one thread and is handed to no other. A connection belongs to
// the thread that took it, or to the pool while it is parked; EPOLLONESHOT keeps it at that.
// Threads start when all others are busy, up to the limit; one that waits inside a request
// (WaitSlot) is replaced meanwhile. With nothing connected no timer runs and nothing wakes up.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "daemon/api/connection.h"
#include "daemon/api/problem.h"
#include "daemon/base/clock.h"
#include "daemon/base/event_fd.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace taskd {

class ConnectionPool {
 public:
  // Writes answers into connections. Called from many threads; nothing may be thrown.
  class Answerer {
   public:
    virtual ~Answerer() = default;
    virtual void answer(HttpConnection& connection, const HttpRequest& request) noexcept = 0;
    // The answer to a request that cannot be read; the connection closes after it.
    virtual void refuse(HttpConnection& connection, const ProblemError& error) noexcept = 0;
  };

  // `answerer` and `clock` outlive the pool.
  ConnectionPool(Answerer& answerer, const Clock& clock, const ServerLimits& limits);
  ~ConnectionPool();

  // See ApiServer.
  void serve(int listen_fd);
  void stop();

  // While one lives, its thread may wait for as long as it likes. Throws ProblemError
  // too_many_requests beyond max_streams, beyond a user's share of them, or when there is no thread
  // to take its place.
  class WaitSlot {
   public:
    WaitSlot(ConnectionPool& pool, const Actor& actor);
    ~WaitSlot();
    WaitSlot(const WaitSlot&) = delete;
    WaitSlot& operator=(const WaitSlot&) = delete;

   private:
    ConnectionPool& pool_;
    const std::uint32_t uid_;
  };

  // Readable once stop() was called.
  int stop_fd() const { return stop_event_.get(); }

 private:
  struct Entry {
    std::unique_ptr<HttpConnection> connection;
    bool parked = false;
    bool registered = false;         // with epoll
    std::uint64_t parked_order = 0;  // rises with every parking
    BootTime deadline;
    std::size_t output_bytes = 0;  // unsent, while parked
  };
  using EntryId = std::uint64_t;

  // What a connection waits for next; no events: it is closed.
  struct Next {
    std::uint32_t events = 0;
  };

  void work(bool stays);
  void handle(EntryId id);
  void accept_one();
  std::optional<UniqueFd> accept_or_pause();
  void listen_again() TASKD_REQUIRES(mutex_);
  void serve_connection(EntryId id, HttpConnection& connection);
  Next advance(HttpConnection& connection);
  Next answer_requests(HttpConnection& connection);

  HttpConnection* take(EntryId id);
  EntryId add(std::unique_ptr<HttpConnection> connection);
  void park(EntryId id, Next next);
  void close(EntryId id);
  void unpark(Entry& entry) TASKD_REQUIRES(mutex_);
  // Makes room by closing the connection that has been parked the longest.
  bool evict_oldest() TASKD_REQUIRES(mutex_);
  void sweep();
  void wake_by(BootTime deadline) TASKD_REQUIRES(mutex_);

  void become_busy();
  bool become_idle(bool stays);  // false: this thread is one too many
  bool spawn() TASKD_REQUIRES(mutex_);
  void run_spawned();
  void join_ended();

  Answerer& answerer_;
  const Clock& clock_;
  const ServerLimits limits_;
  UniqueFd epoll_;
  UniqueFd timer_;
  EventFd stop_event_;
  int listen_fd_ = -1;
  std::atomic<bool> stopping_{false};

  mutable Mutex mutex_;
  std::unordered_map<EntryId, Entry> entries_ TASKD_GUARDED_BY(mutex_);
  EntryId next_id_ TASKD_GUARDED_BY(mutex_);
  std::uint64_t parkings_ TASKD_GUARDED_BY(mutex_) = 0;
  std::size_t parked_output_bytes_ TASKD_GUARDED_BY(mutex_) = 0;
  std::optional<BootTime> timer_at_ TASKD_GUARDED_BY(mutex_);
  std::optional<BootTime> accept_again_at_ TASKD_GUARDED_BY(mutex_);
  std::unordered_map<std::thread::id, std::thread> threads_ TASKD_GUARDED_BY(mutex_);
  std::vector<std::thread> ended_ TASKD_GUARDED_BY(mutex_);
  int idle_ TASKD_GUARDED_BY(mutex_) = 0;     // threads in epoll_wait
  int busy_ TASKD_GUARDED_BY(mutex_) = 0;     // threads that answer
  int waiting_ TASKD_GUARDED_BY(mutex_) = 0;  // threads with a WaitSlot
  std::unordered_map<std::uint32_t, int> waiting_of_user_ TASKD_GUARDED_BY(mutex_);  // by uid
};

}  // namespace taskd
