// Accepts connections, parks the idle ones in epoll, and has whole requests answered by a small set
// of threads.
//
// Every thread waits in the same epoll instance, and the one that hears of an event does all that
// follows from it, so a request wakes one thread and is handed to no other. A connection belongs to
// the thread that took it, or to the pool while it is parked; EPOLLONESHOT keeps it at that.
// Threads start when all others are busy, up to the limit; one that streams (StreamSlot) is
// replaced meanwhile. With nothing connected no timer runs and nothing wakes up.
//
// A request is answered in a turn. Who holds his share of turns, of readers or of memory for parsed
// requests waits, parked, until one of his own is done; freed turns go to who holds the fewest. A
// few threads are never given away, so there is always one to accept, to read and to answer
// healthz. What parked connections hold is counted too (UserShares): a user over his share, or the
// largest holder where a total is used up, loses something of his own and nobody else does.
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

  // Writes answers into connections. Called from many threads; nothing may be thrown.
  class Answerer {
   public:
    virtual ~Answerer() = default;
    // Leaves an HttpWait in the connection instead of an answer, or an answer.
    virtual void answer(HttpConnection& connection, const HttpRequest& request,
                        Turn& turn) noexcept = 0;
    // The answer to a request that cannot be read or served; the connection closes after it.
    virtual void refuse(HttpConnection& connection, const ProblemError& error) noexcept = 0;
  };

  // `answerer` and `clock` outlive the pool.
  ConnectionPool(Answerer& answerer, const Clock& clock, const ServerLimits& limits);
  ~ConnectionPool();

  // See ApiServer.
  void serve(int listen_fd);
  void stop();

  // The right to be answered, with what it counts for. Belongs to one thread.
  class Turn {
   public:
    Turn(Turn&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)),
          actor_(other.actor_),
          cost_(other.cost_),
          begun_us_(other.begun_us_) {}
    ~Turn() { end(); }
    Turn& operator=(Turn&&) = delete;
    // Before its time, where the request goes on without a thread of the pool's.
    void end();
    // The request takes more memory than its body let expect. Throws ProblemError (503) where that
    // is more than the user's share, or all there is.
    void grow(std::int64_t work_bytes);

   private:
    friend class ConnectionPool;
    struct Cost {
      bool counts = false;  // else it costs next to nothing
      bool reads = false;
      std::int64_t work_bytes = 0;
    };
    Turn(ConnectionPool& pool, const Actor& actor, const Cost& cost, std::int64_t begun_us)
        : pool_(&pool), actor_(actor), cost_(cost), begun_us_(begun_us) {}
    ConnectionPool* pool_;  // null: over
    Actor actor_;
    Cost cost_;
    std::int64_t begun_us_;
  };

  // While one lives, its thread may take as long as it likes. Ends the turn. Throws ProblemError
  // too_many_requests beyond max_streams, beyond a user's share of them, or when there is no thread
  // to take its place.
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

  // Readable once stop() was called.
  int stop_fd() const { return stop_event_.get(); }

 private:
  // What a connection is parked for.
  enum class Then { close, input, output, turn, wait };
  struct Entry {
    std::unique_ptr<HttpConnection> connection;
    Actor actor;
    bool parked = false;
    Then then = Then::input;         // while parked
    bool registered = false;         // with epoll
    std::uint64_t parked_order = 0;  // rises with every parking
    BootTime deadline;
    std::array<std::int64_t, kHoldings> held{};  // while parked; `connections` all its life
    Turn::Cost cost{};                           // of the turn it waits for
    std::int64_t looked_at_us = 0;               // processor time before it waited
    bool granted = false;                        // it has that turn
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
  // The daemon stops: what can still be said to who is not answered.
  void answer_last(EntryId id, HttpConnection& connection, Then then);
  std::vector<EntryId> unanswered() const;
  Then advance(EntryId id, HttpConnection& connection);
  Then answer_requests(EntryId id, HttpConnection& connection);
  Then refuse(HttpConnection& connection, const ProblemError& error);
  void become_busy();
  bool become_idle(bool stays);  // false: this thread is one too many
  bool spawn() TASKD_REQUIRES(mutex_);
  void run_spawned();
  void join_ended();

  // --- parking, and what parked connections hold (connection_idle.cc)
  HttpConnection* take(EntryId id);
  std::optional<EntryId> add(std::unique_ptr<HttpConnection> connection);
  // False: it holds too much for that, and is still the caller's.
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
  // Nothing: it is to wait for it, parked. Throws ProblemError where it can never have one.
  std::optional<Turn> begin_turn(EntryId id, const HttpRequest& request);
  bool take_turn(const Actor& actor, const Turn::Cost& cost) TASKD_REQUIRES(mutex_);
  void give_turn_back(const Actor& actor, const Turn::Cost& cost) TASKD_REQUIRES(mutex_);
  void grant_turns() TASKD_REQUIRES(mutex_);
  // Puts the connection in front of the threads, without an event of its own.
  void make_ready(EntryId id) TASKD_REQUIRES(mutex_);
  EntryId next_ready();  // 0: none
  void end_turn(const Actor& actor, const Turn::Cost& cost, std::int64_t cpu_us);
  // Whether he is to wait before he has another turn; sees to it that he is looked at again.
  bool must_pause(const Actor& actor) TASKD_REQUIRES(mutex_);

  Answerer& answerer_;
  const Clock& clock_;
  const ServerLimits limits_;
  UniqueFd epoll_;
  UniqueFd timer_;
  EventFd stop_event_;
  EventFd ready_event_;  // raised once for each that is made ready
  int listen_fd_ = -1;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> memory_is_free_{false};  // much of it, since the last time

  mutable Mutex mutex_;
  UserShares shares_ TASKD_GUARDED_BY(mutex_);
  UserThrottle throttle_ TASKD_GUARDED_BY(mutex_);
  Entries entries_ TASKD_GUARDED_BY(mutex_);
  EntryId next_id_ TASKD_GUARDED_BY(mutex_);
  std::uint64_t parkings_ TASKD_GUARDED_BY(mutex_) = 0;
  // Who waits for turns, in order, by uid; some may be gone since.
  std::map<std::uint32_t, std::deque<EntryId>> turn_lines_ TASKD_GUARDED_BY(mutex_);
  std::deque<EntryId> ready_ TASKD_GUARDED_BY(mutex_);
  std::int64_t most_memory_ TASKD_GUARDED_BY(mutex_) = 0;  // held since some was given back
  std::optional<BootTime> told_of_cut_at_ TASKD_GUARDED_BY(mutex_);
  std::optional<BootTime> timer_at_ TASKD_GUARDED_BY(mutex_);
  std::optional<BootTime> accept_again_at_ TASKD_GUARDED_BY(mutex_);
  std::unordered_map<std::thread::id, std::thread> threads_ TASKD_GUARDED_BY(mutex_);
  std::vector<std::thread> ended_ TASKD_GUARDED_BY(mutex_);
  int idle_ TASKD_GUARDED_BY(mutex_) = 0;  // threads in epoll_wait
  int busy_ TASKD_GUARDED_BY(mutex_) = 0;  // threads that answer
};

}  // namespace taskd
