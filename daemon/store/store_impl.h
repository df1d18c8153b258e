// What the parts of TaskStore share: the writer, the readers, and functions to call them.
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

// Lets callers through one at a time, in order of arrival.
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

  // Runs `command(Transaction&)` on the writer thread and returns its result once committed.
  // Requests of people and programs wait for their user's turn.
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

  // Creates the remaining tasks of the arrays with these ids, in commits of some ten milliseconds,
  // between which other commands run.
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
  std::map<std::string, std::string> defaults TASKD_GUARDED_BY(defaults_mutex);  // by queue
  mutable Mutex users_mutex;
  std::map<std::uint32_t, KnownUser> users TASKD_GUARDED_BY(users_mutex);  // by owner
  Turns array_turns;  // large arrays take turns piece by piece, so that no commit holds many
  // Writer only: the upstream whose dependants update_dependants() handled last.
  TaskId latest_upstream = 0;
  EventSweep event_sweep;
  Mutex keyed_mutex;
  std::set<std::pair<std::uint32_t, std::string>> keyed
      TASKD_GUARDED_BY(keyed_mutex);  // requests with keys that are in progress, by uid and key
  ReaderPool readers;                 // closed before the writer, whose connection must close last
};

// Whether the actor sees the task.
bool sees(Connection& db, const Actor& actor, TaskId id);

// What the `running` tasks use of the machine. Few run, so it is read each time.
Allocation load_allocation(Connection& db, std::int64_t running);

// The task for callers, without what only its spec knows.
Task to_task(Connection& db, const StoredTask& stored);
// The task including its spec.
Task load_whole(Reader& db, const StoredTask& stored);
// If not null, `text` receives the stored form.
TaskSpec load_spec(Reader& db, const StoredTask& stored, std::string* text = nullptr);

// A task stays at least this long after its end was recorded, regardless of its keep time, so that
// whoever waits for the end can still read it.
inline constexpr std::int64_t kMinKeepMs = 10'000;

// Sets the columns of an ended task: when it ended and how long it is kept.
void end_row(TaskRow& row, const StoredTask& task, WallTime ended_at, WallTime now);

// Adds a task, in the state that fits what it waits for: a person, its dependencies, its start
// time, its key, or a worker. Fills in the columns of `task` that come from the spec; the key is
// the spec's, unless `task` has one.
void submit_task(Transaction& transaction, StoredTask& task, const PreparedSpec& spec, bool hold,
                 const Note& note);

// The user's existing task with the same unique key that applies.
std::optional<TaskId> find_unique(Transaction& transaction, std::uint32_t uid,
                                  const Unique& unique);

// Another active task with its unique key, which prevents it from running again.
std::optional<TaskId> find_active_duplicate(Connection& db, TaskId task, std::uint32_t uid,
                                            const std::string& unique_key);

// Updates other tasks after the transaction's changes: dependants, and tasks with the same key.
// Call after every command, and before a claim in a command that changed something.
void propagate(Transaction& transaction);

// How many more tasks the queue takes. Tasks of arrays that are not created yet count as present.
std::int64_t room_in(Connection& db, const QueueInfo& queue);
// Why the queue does not take `count` more tasks. A null queue does not exist.
using QueueRefusal = std::variant<UnknownQueue, QueueFull>;
std::optional<QueueRefusal> find_refusal(Connection& db, const std::string& name,
                                         const QueueInfo* queue, std::int64_t count);
// The same, from the writer's table.
std::optional<QueueRefusal> find_refusal(Transaction& transaction, const std::string& queue,
                                         std::int64_t count);

// The queue with its counts, for a reader. Nothing if it does not exist.
std::optional<QueueInfo> load_queue(Connection& db, const std::string& name);
std::vector<QueueInfo> load_queues(Connection& db);  // by name

// When a submit is to start; nothing = at once.
std::optional<WallTime> start_of(const NewTask& task, WallTime now);

// Puts an ended task back into its queue with a fresh budget.
void retry_task(Transaction& transaction, StoredTask& task, const Note& note);

// Cancels an active task: at once, or by request if it is running.
void cancel_task(Transaction& transaction, StoredTask& task,
                 std::optional<std::uint32_t> actor_uid);

// Job reports (reports.cc).
void write_result(Connection& db, TaskId task, int attempt, WallTime at, const std::string& json);
// Call before any attempt but the first: discards the reports of earlier attempts.
void forget_reports(Connection& db, TaskId task);
std::optional<TaskResult> load_result(Connection& db, TaskId task);
std::optional<std::string> result_of(Connection& db, TaskId task);
// The latest attempt's progress and when it was reported.
std::optional<std::pair<Progress, WallTime>> load_progress(Connection& db, TaskId task);

// Ends every running task as failed and lost, whatever its policy, because its attempt belongs to
// another store. Returns how many there were.
int give_up_running(Transaction& transaction);

// Moves up to `limit` tasks from `queued` to `running`.
Claims claim_tasks(Transaction& transaction, const StoreOptions& options, int limit);

}  // namespace taskd
