// What the parts of TaskStore share: the writer, the readers, and the way to call them.
#pragma once

#include <SQLiteCpp/Exception.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "daemon/base/mutex.h"
#include "daemon/store/db/reader_pool.h"
#include "daemon/store/limits/arrays.h"
#include "daemon/store/task_store.h"
#include "daemon/store/write/event_sweep.h"
#include "daemon/store/write/idempotent_request.h"
#include "daemon/store/write/transaction.h"
#include "daemon/store/write/write_queue.h"

namespace taskd {

// Lets callers through one at a time, in the order in which they came.
class Turns {
 public:
  class Turn {
   public:
    explicit Turn(Turns& turns) : turns_(turns) {
      const MutexLock lock(turns_.mutex_);
      const std::uint64_t mine = turns_.next_++;
      while (turns_.now_ != mine) turns_.wake_.wait(turns_.mutex_);
    }
    ~Turn() {
      const MutexLock lock(turns_.mutex_);
      ++turns_.now_;
      turns_.wake_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Turns& turns_;
  };

 private:
  Mutex mutex_;
  CondVar wake_;
  std::uint64_t next_ TASKD_GUARDED_BY(mutex_) = 0;
  std::uint64_t now_ TASKD_GUARDED_BY(mutex_) = 0;
};

struct StoreImpl {
  StoreImpl(Connection db, const StoreOptions& store_options, StoreIdentity store_identity,
            Provenance store_provenance)
      : options(store_options),
        identity(std::move(store_identity)),
        provenance(store_provenance),
        writer(std::move(db), store_options, identity.generation, provenance == Provenance::copy),
        event_sweep(store_options.keep_events),
        readers(store_options.path) {}

  // Runs `command(Transaction&)` on the writer thread and returns what it returned, committed. What
  // a person or a program asked for waits for its user's turn.
  template <class F>
  auto write(WhenFull when_full, const Actor& actor, F command) {
    return write_for(when_full, actor.uid, std::move(command));
  }
  template <class F>
  auto write(WhenFull when_full, F command) {
    return write_for(when_full, WriteQueue::kDaemon, std::move(command));
  }
  template <class F>
  auto write_for(WhenFull when_full, WriteQueue::Owner owner, F command) {
    std::optional<decltype(command(std::declval<Transaction&>()))> result;
    IdempotentRequest* const request = IdempotentRequest::current();
    writer.run(when_full, owner, [&](Transaction& transaction) {
      const std::int64_t rows = transaction.db().rows_changed();
      const std::size_t changes = transaction.changes().size();
      result = command(transaction);
      const bool did_something = transaction.db().rows_changed() != rows;
      if (request != nullptr && did_something) request->record(transaction, changes);
    });
    if (request != nullptr) request->committed();
    return std::move(*result);
  }

  // Runs `query(Reader&)` in one read transaction.
  template <class F>
  auto read(F query) {
    try {
      ReaderPool::Lease lease(readers);
      return query(lease.db());
    } catch (const SQLite::Exception& error) {
      switch (failure_of(error)) {
        case Failure::fatal:
          writer.fail(error.what());
          throw;
        case Failure::busy:
          throw StoreBusy("the database cannot be read for the moment (" +
                          std::string(error.what()) + ")");
        default:
          throw;
      }
    }
  }

  // Makes all tasks of the arrays of these ids, in commits of some ten milliseconds, among which
  // everybody else's commands go on.
  void make_whole(IdRange ids);

  // StoreUsers::known_user().
  std::optional<KnownUser> known_user(std::uint32_t owner) const;

  const StoreOptions options;
  const StoreIdentity identity;
  const Provenance provenance;
  bool was_adopted = false;
  bool was_left_open = false;
  WriteQueue writer;
  Mutex defaults_mutex;
  std::map<std::string, std::string> defaults TASKD_GUARDED_BY(defaults_mutex);  // of queues
  mutable Mutex users_mutex;
  std::map<std::uint32_t, KnownUser> users TASKD_GUARDED_BY(users_mutex);  // by owner
  Turns array_turns;  // of all large arrays one piece at a time, so that no commit holds many
  TaskId latest_upstream = 0;  // of the writer: whose dependants update_dependants() looked at
  EventSweep event_sweep;
  Mutex keyed_mutex;
  std::set<std::pair<std::uint32_t, std::string>> keyed
      TASKD_GUARDED_BY(keyed_mutex);  // requests with keys that are being worked on, by uid and key
  ReaderPool readers;                 // closed before the writer, whose connection must be the last
};

// Whether the task is there for the actor.
bool sees(Connection& db, const Actor& actor, TaskId id);

// What the `running` tasks have of the machine; few run, so it is read each time.
Allocation load_allocation(Connection& db, std::int64_t running);

// The task as callers see it, but for what its spec alone knows.
Task to_task(Connection& db, const StoredTask& stored);
// With its spec.
Task load_whole(Reader& db, const StoredTask& stored);
// `text`: as it is stored.
TaskSpec load_spec(Reader& db, const StoredTask& stored, std::string* text = nullptr);

// Whatever its keep time, a task stays this long after its end was recorded, so that who waits for
// the end also gets to read it.
inline constexpr std::int64_t kMinKeepMs = 10'000;

// An ended task's columns: when it ended and how long it is kept.
void end_row(TaskRow& row, const StoredTask& task, WallTime ended_at, WallTime now);

// Adds a task, which then waits for whatever it has to: a person, others' ends, its time, its key,
// or its turn. Of `task` what the spec does not say is filled in, but for the state; the key is the
// spec's, unless it has one.
void submit_task(Transaction& transaction, StoredTask& task, const PreparedSpec& spec, bool hold,
                 const Note& note);

// The user's task that this one must not be there beside.
std::optional<TaskId> find_unique(Transaction& transaction, std::uint32_t uid,
                                  const Unique& unique);

// Another task that has its unique key and has not ended: it may not run again beside that one.
std::optional<TaskId> find_active_duplicate(Connection& db, TaskId task, std::uint32_t uid,
                                            const std::string& unique_key);

// Whatever the transaction's changes mean for other tasks: those that depend on these, those that
// share a key with them. After every command, and before one that changed something claims.
void propagate(Transaction& transaction);

// How many more tasks the queue takes. Those of arrays that are to be made count as there.
std::int64_t room_in(Connection& db, const QueueInfo& queue);
// Why the queue does not take `count` more tasks. A null queue is one that does not exist.
using QueueRefusal = std::variant<UnknownQueue, QueueFull>;
std::optional<QueueRefusal> find_refusal(Connection& db, const std::string& name,
                                         const QueueInfo* queue, std::int64_t count);
// The same by what the writer knows of the queue.
std::optional<QueueRefusal> find_refusal(Transaction& transaction, const std::string& queue,
                                         std::int64_t count);

// With its counts, for a reader. Nothing: there is none.
std::optional<QueueInfo> load_queue(Connection& db, const std::string& name);
std::vector<QueueInfo> load_queues(Connection& db);  // by name

// When a submit is to start; nothing: at once.
std::optional<WallTime> start_of(const NewTask& task, WallTime now);

// Puts an ended task back into its queue, with a fresh budget.
void retry_task(Transaction& transaction, StoredTask& task, const Note& note);

// Cancels a task that has not ended: at once, or by request where it runs.
void cancel_task(Transaction& transaction, StoredTask& task,
                 std::optional<std::uint32_t> actor_uid);

// What jobs report (reports.cc).
void write_result(Connection& db, TaskId task, int attempt, WallTime at, const std::string& json);
// Before an attempt that is not the task's first: what earlier ones told counts no more.
void forget_reports(Connection& db, TaskId task);
std::optional<TaskResult> load_result(Connection& db, TaskId task);
std::optional<std::string> result_of(Connection& db, TaskId task);
// The latest attempt's progress and when it told it.
std::optional<std::pair<Progress, WallTime>> load_progress(Connection& db, TaskId task);

// Ends every task that runs as failed and lost, whatever its policy: the attempts are another
// store's. Returns how many there were.
int give_up_running(Transaction& transaction);

// Moves up to `limit` tasks from `queued` to `running`.
Claims claim_tasks(Transaction& transaction, const StoreOptions& options, int limit);

}  // namespace taskd
