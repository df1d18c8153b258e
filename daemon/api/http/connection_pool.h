// Accepts connections, parks idle ones in epoll, and answers complete requests with a small set of
// threads.
//
// All threads wait in the same epoll instance, and the thread that receives an event does
// everything that follows, so a request wakes one thread and is never handed over. A connection
// belongs to the thread that took it or, while parked, to the pool; EPOLLONESHOT ensures that. A
// new thread starts when all others are busy, up to the limit; a thread that streams (StreamSlot)
// is replaced meanwhile. Without connections no timer runs and nothing wakes up.
//
// A request needs a turn to be answered. If a user holds their full share of turns, readers or
// memory for parsed requests, their next request waits, parked, until one of their own is done.
// Free turns go to the user who holds the fewest. A few threads never take turns, so one is always
// free to accept, to read and to answer healthz. What parked connections hold is counted, too
// (UserShares): if a user exceeds their share, or a total is used up, the pool takes something from
// that user or from the largest holder, and from nobody else.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/api/http/connection.h"
#include "daemon/api/http/problem.h"
#include "daemon/api/http/user_shares.h"
#include "daemon/api/http/user_throttle.h"
#include "daemon/base/clock.h"
#include "daemon/base/event_fd.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace taskd {

class ConnectionPool {
 public:
  class Turn;

  // Writes answers into connections. Called from many threads; must not throw.
  class Answerer {
   public:
    virtual ~Answerer() = default;
    // Leaves an answer in the connection, or an HttpWait.
    virtual void answer(HttpConnection& connection, const HttpRequest& request,
                        Turn& turn) noexcept = 0;
    // Answers a request that cannot be read or served; the connection closes afterwards.
    virtual void refuse(HttpConnection& connection, const ProblemError& error) noexcept = 0;
  };

  // `answerer` and `clock` must outlive the pool.
  ConnectionPool(Answerer& answerer, const Clock& clock, const ServerLimits& limits);
  ~ConnectionPool();

  // See ApiServer.
  void serve(int listen_fd);
  void stop();

  // The right to be answered, with its costs. Belongs to one thread.
  class Turn {
   public:
    Turn(Turn&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)),
          actor_(other.actor_),
          cost_(other.cost_),
          begun_us_(other.begun_us_) {}
    ~Turn() { end(); }
    Turn& operator=(Turn&&) = delete;
    // Ends the turn early, when the request continues without a pool thread.
    void end();
    // Adds memory beyond what the body's size predicted. Throws ProblemError (503) if that exceeds
    // the user's share or the total.
    void grow(std::int64_t work_bytes);

   private:
    friend class ConnectionPool;
    struct Cost {
      bool counts = false;  // false: it costs next to nothing
      bool reads = false;
      std::int64_t work_bytes = 0;
    };
    Turn(ConnectionPool& pool, const Actor& actor, const Cost& cost, std::int64_t begun_us)
        : pool_(&pool), actor_(actor), cost_(cost), begun_us_(begun_us) {}
    ConnectionPool* pool_;  // null = ended
    Actor actor_;
    Cost cost_;
    std::int64_t begun_us_;
  };

  // While one lives, its thread may take as long as it likes. Ends the turn. Throws ProblemError
  // too_many_requests beyond max_streams or the user's share, or if no thread can replace this one.
  class StreamSlot {
   public:
    StreamSlot(ConnectionPool& pool, const Actor& actor, Turn& turn);
    ~StreamSlot();
    StreamSlot(const StreamSlot&) = delete;
    StreamSlot& operator=(const StreamSlot&) = delete;

   private:
    ConnectionPool& pool_;
    const std::uint32_t uid_;
    const std::int64_t begun_us_;
  };

  // Readable after stop() was called.
  int stop_fd() const { return stop_event_.get(); }

 private:
  // Why a connection is parked.
  enum class Then { close, input, output, turn, wait };
  struct Entry {
    std::unique_ptr<HttpConnection> connection;
    Actor actor;
    bool parked = false;
    Then then = Then::input;         // while parked
    bool registered = false;         // with epoll
    std::uint64_t parked_order = 0;  // increases with each parking
    BootTime deadline;
    std::array<std::int64_t, kHoldings> held{};  // while parked; `connections` all its life
    Turn::Cost cost{};                           // of the turn that it waits for
    std::int64_t looked_at_us = 0;               // CPU time used before it waited
    bool granted = false;                        // it has received that turn
  };
  using EntryId = std::uint64_t;
  using Entries = std::unordered_map<EntryId, Entry>;

  // --- threads and events (connection_pool.cc)
  void work(bool stays);
  void handle(std::uint64_t event);
  void accept_one();
  std::optional<UniqueFd> accept_or_pause();
  void listen_again() TASKD_REQUIRES(mutex_);
  void serve_connection(EntryId id, HttpConnection& connection);
  // At shutdown: sends a last answer to clients still waiting.
  void answer_last(EntryId id, HttpConnection& connection, Then then);
  std::vector<EntryId> unanswered() const;
  Then advance(EntryId id, HttpConnection& connection);
  Then answer_requests(EntryId id, HttpConnection& connection);
  Then refuse(HttpConnection& connection, const ProblemError& error);
  void become_busy();
  bool become_idle(bool stays);  // false: there is one thread too many
  bool spawn() TASKD_REQUIRES(mutex_);
  void run_spawned();
  void join_ended();

  // --- parking, and what parked connections hold (connection_idle.cc)
  HttpConnection* take(EntryId id);
  std::optional<EntryId> add(std::unique_ptr<HttpConnection> connection);
  // Returns false if it holds too much; it then still belongs to the caller.
  bool park(EntryId id, Then then);
  void arm(EntryId id, Entry& entry) TASKD_REQUIRES(mutex_);
  void close(EntryId id);
  void unpark(Entry& entry) TASKD_REQUIRES(mutex_);
  Entries::iterator drop(Entries::iterator entry) TASKD_REQUIRES(mutex_);
  void note_memory() TASKD_REQUIRES(mutex_);
  bool hold(Entry& entry, Holding resource, std::size_t amount) TASKD_REQUIRES(mutex_);
  bool cut_one_of(std::uint32_t uid, Holding resource, std::int64_t above = 0)
      TASKD_REQUIRES(mutex_);
  void tell_of_cut(std::uint32_t uid) TASKD_REQUIRES(mutex_);
  void sweep();
  void wake_by(BootTime deadline) TASKD_REQUIRES(mutex_);

  // --- turns (connection_scheduling.cc)
  static Turn::Cost cost_of(const HttpRequest& request);
  // Returns nothing if the request must wait, parked. Throws ProblemError if it can never get a
  // turn.
  std::optional<Turn> begin_turn(EntryId id, const HttpRequest& request);
  bool take_turn(const Actor& actor, const Turn::Cost& cost) TASKD_REQUIRES(mutex_);
  void give_turn_back(const Actor& actor, const Turn::Cost& cost) TASKD_REQUIRES(mutex_);
  void grant_turns() TASKD_REQUIRES(mutex_);
  // Queues the connection for the threads without an event of its own.
  void make_ready(EntryId id) TASKD_REQUIRES(mutex_);
  EntryId next_ready();  // 0 = none
  void end_turn(const Actor& actor, const Turn::Cost& cost, std::int64_t cpu_us);
  // Whether the user must pause before the next turn; arranges for another check.
  bool must_pause(const Actor& actor) TASKD_REQUIRES(mutex_);

  Answerer& answerer_;
  const Clock& clock_;
  const ServerLimits limits_;
  UniqueFd epoll_;
  UniqueFd timer_;
  EventFd stop_event_;
  EventFd ready_event_;  // raised once per ready connection
  int listen_fd_ = -1;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> memory_is_free_{false};  // much memory was freed since the last release

  mutable Mutex mutex_;
  UserShares shares_ TASKD_GUARDED_BY(mutex_);
  UserThrottle throttle_ TASKD_GUARDED_BY(mutex_);
  Entries entries_ TASKD_GUARDED_BY(mutex_);
  EntryId next_id_ TASKD_GUARDED_BY(mutex_);
  std::uint64_t parkings_ TASKD_GUARDED_BY(mutex_) = 0;
  // who waits for turns, in order, by uid; some may be gone
  std::map<std::uint32_t, std::deque<EntryId>> turn_lines_ TASKD_GUARDED_BY(mutex_);
  std::deque<EntryId> ready_ TASKD_GUARDED_BY(mutex_);
  // The most held since memory was last released.
  std::int64_t most_memory_ TASKD_GUARDED_BY(mutex_) = 0;
  std::optional<BootTime> told_of_cut_at_ TASKD_GUARDED_BY(mutex_);
  std::optional<BootTime> timer_at_ TASKD_GUARDED_BY(mutex_);
  std::optional<BootTime> accept_again_at_ TASKD_GUARDED_BY(mutex_);
  std::unordered_map<std::thread::id, std::thread> threads_ TASKD_GUARDED_BY(mutex_);
  std::vector<std::thread> ended_ TASKD_GUARDED_BY(mutex_);
  int idle_ TASKD_GUARDED_BY(mutex_) = 0;  // threads in epoll_wait
  int busy_ TASKD_GUARDED_BY(mutex_) = 0;  // threads that answer
};

}  // namespace taskd
