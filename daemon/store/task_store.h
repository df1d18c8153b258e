// The durable state: every task, attempt and event, in SQLite.
//
// Threading: every method may be called from any thread. Writes are commands to the one writer
// thread, which commits many at once; a write returns after the COMMIT that holds it was synced.
// Reads use a pool of query_only connections and see everything committed before the call.
// Durability: WAL, synchronous=FULL. A failed COMMIT or any I/O error ends the process through
// `StoreOptions::on_fatal`, since after a failed fsync nothing may be acknowledged any more.
// Errors: what a caller can expect is in the result types; exceptions (SQLite::Exception,
// std::runtime_error) mean the operation cannot go on and changed nothing. DiskFull (below)
// may be thrown by every write. Until the disk has room again submit, claim, retry, hold and
// release refuse with it; ends of attempts, cancels and removals go on from the ballast, while it
// lasts.
//
// The seam is narrow on purpose (batch in, batch out, no policy in SQL, no triggers): a second
// implementation on another database must fit behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/flow/needs.h"
#include "daemon/flow/queue.h"
#include "daemon/task/delivery.h"
#include "daemon/task/lifecycle.h"
#include "daemon/task/schedule.h"
#include "daemon/task/task.h"
#include "daemon/task/why.h"
#include "daemon/task/workflow.h"

namespace taskd {

struct DiskFull : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A committed change of one task's state, told to the listener. Task 0: more may start than before,
// since a queue has other limits; or, with `act_at`, a schedule wants to be looked at then.
struct Change {
  TaskId task = 0;
  State to = State::queued;
  bool cancel_requested = false;   // of a running task; `to` is running
  std::optional<WallTime> act_at;  // when time moves it on: due (scheduled), kept until (ended)
  std::uint64_t hooks = 0;         // bit i: the i-th hook of StoreOptions has something to be told
};

// A hook that the configuration declares.
struct HookRule {
  std::string name;
  HookEvents on;  // what it is told of where nobody says otherwise
};
inline constexpr std::size_t kMaxHooks = 64;

struct StoreOptions {
  std::string path;  // the database file; its folder must exist
  std::string boot_id;
  std::int64_t ballast_bytes = 16 << 20;  // kept beside the database, freed when the disk is full
  int max_batch = 256;                    // commands per COMMIT
  Machine machine = {};                   // what running tasks share
  const Clock* clock = nullptr;           // outlives the store
  std::vector<HookRule> hooks = {};       // at most kMaxHooks
  // What a hook is told about a task, as JSON; needed with hooks. Called on the writer thread.
  std::function<std::string(const Task&)> describe_task = {};
  // Called on the writer thread after each COMMIT, before its commands return. Must be quick and
  // must not call the store.
  std::function<void(std::span<const Change>)> on_commit;
  // Called once with a whole sentence when nothing may be acknowledged any more. Must not return.
  std::function<void(const std::string&)> on_fatal;
};

// Whose tasks a request may see and touch.
struct Actor {
  std::uint32_t uid = 0;
  bool admin = false;  // root and the daemon's own user: everyone's
};

// --- submit -----------------------------------------------------------------------------------
struct StepOf {
  std::string name;
  std::vector<StepNeed> needs;
};
struct SubmitRequest {
  Actor actor;
  std::vector<NewTask> tasks;   // all or none
  std::string idempotency_key;  // "" = none
  std::string body_digest;      // of the request's body, compared under the same key
  // The tasks are a workflow of this name, and its steps are theirs, one for each.
  std::optional<std::string> workflow = {};
  std::vector<StepOf> steps = {};
};
struct Submitted {
  std::vector<TaskId> ids;
  bool repeated = false;       // the key was known: these are the earlier tasks
  std::vector<bool> existing;  // by id: it was there already, and is not to be there twice
  bool any_existing = false;
  WorkflowId workflow = 0;  // 0: not one, or removed since
  std::vector<Task> tasks;  // as they were stored, without specs where any was there already; empty
                            // when repeated
};
struct UnknownQueue {
  std::string queue;
};
struct QueueFull {
  std::string queue;
  std::int64_t capacity = 0;
  bool draining = false;    // a person said it takes nothing more
  std::size_t changed = 0;  // by a filter's retry or move: tasks it had put there before
};
struct KeyReused {};    // same key, other body
struct UnknownHook {};  // a task's `notify` names one that is not declared
struct UnknownDependency {
  std::size_t index = 0;  // of the task in the request
  TaskId task = 0;        // that is not there, or not the actor's
};
using SubmitResult =
    std::variant<Submitted, UnknownQueue, UnknownHook, QueueFull, KeyReused, UnknownDependency>;

// --- claim and finish --------------------------------------------------------------------------
struct Claim {
  TaskId task = 0;
  int attempt = 0;
  std::string token;
  std::uint32_t uid = 0;  // run as: spec.user_uid or the submitter
  TaskSpec spec;
  std::optional<ArrayPlace> array;
  Grant grant;                    // not from running_attempts()
  bool cancel_requested = false;  // only from running_attempts()
  std::string boot_id;            // only from running_attempts()
};
struct Finish {
  TaskId task = 0;
  int attempt = 0;
  std::string token;
  AttemptEnd end;
};
struct Claims {
  std::vector<Claim> claims;
  bool more = false;              // another task may start right now
  std::optional<WallTime> later;  // else when a rate limit will let one
};
struct FinishResult {
  bool accepted = false;  // false: the attempt is not this token's any more; nothing changed
  Claims next;
};

// --- control -----------------------------------------------------------------------------------
enum class Verb { cancel, retry, hold, release, remove, move, signal };
std::string_view to_string(Verb);

struct Filter {
  std::vector<State> states;  // empty = any
  std::optional<std::string> queue;
  std::optional<std::string> name;
  std::optional<std::uint32_t> uid;
  std::optional<TaskId> array;  // id of its first task
  std::optional<WorkflowId> workflow;
  std::vector<std::pair<std::string, std::string>> labels;  // all must match
  std::optional<WallTime> since;                            // created at or after
  std::optional<WallTime> until = {};                       // created before
  std::vector<Reason> reasons = {};  // why it failed; empty = any, and it need not have
  std::optional<std::string> key = {};
  std::optional<WallTime> ended_since = {};   // at or after
  std::optional<WallTime> ended_before = {};  // and it has ended

  bool operator==(const Filter&) const = default;
};

// Ids from `first` to `last`.
struct IdRange {
  TaskId first = 1;
  TaskId last = std::numeric_limits<TaskId>::max();
};

struct ControlChange {
  TaskId id = 0;
  State state = State::queued;    // afterwards; for `remove`, before
  bool cancel_requested = false;  // running: it will end once the tree is dead
  int attempts = 0;               // how many it has had
};

// Either ids (all or nothing) or a filter: whatever the verb applies to among the tasks that were
// there when the call began. A filter is worked off in commits of some hundred tasks, so that it
// does not hold up the ends and starts of others; after an exception the first of them may stand,
// and repeating the call does the rest. A retry or a move goes no further than a queue's capacity.
struct ControlRequest {
  Actor actor;
  Verb verb = Verb::cancel;
  std::vector<TaskId> ids;
  std::optional<Filter> filter;
  std::string detail = {};  // noted with each change: which signal
  std::string queue = {};   // with Verb::move: where to
  bool dry_run = false;     // changes nothing and tells what it would change
  // Told of each commit's changes right after it, on the caller's thread.
  std::function<void(std::span<const ControlChange>)> on_commit = {};
};
struct NotFound {
  TaskId id = 0;
};
struct WrongState {
  TaskId id = 0;
  State state = State::queued;
};  // the verb does not apply
// What a dry run found: the same tasks, by the same rule.
struct Preview {
  struct Count {
    std::string queue;
    State state = State::queued;
    std::int64_t count = 0;
  };
  std::int64_t count = 0;
  std::vector<Count> counts;  // by queue and state, as they are now
  std::vector<TaskId> first;  // of them, the oldest first
  std::int64_t unmade = 0;    // tasks of arrays that would never be made
  std::string full_queue;     // it goes no further, since this queue takes nothing more; "" = none
};
inline constexpr std::size_t kMaxPreviewed = 10'000;
using ControlResult = std::variant<std::vector<ControlChange>, NotFound, WrongState, UnknownQueue,
                                   QueueFull, Preview>;

// --- edit --------------------------------------------------------------------------------------
// Gives a waiting task another spec and perhaps another start.
struct EditRequest {
  Actor actor;
  TaskId task = 0;
  // As it was read: nothing happens to a task that somebody changed since.
  TaskSpec was;
  std::optional<WallTime> was_due_at;
  NewTask to;
  bool sets_start = false;  // else the start stays, and `to` names none
  bool retry = false;       // it has ended, and is to run again with a fresh budget
  std::string fields;       // what is changed, for the events: "priority,env"
};
struct Edited {};
struct EditedMeanwhile {};
using EditResult =
    std::variant<Edited, NotFound, WrongState, EditedMeanwhile, UnknownQueue, QueueFull>;

// --- what jobs report --------------------------------------------------------------------------
struct ProgressReport {
  AttemptKey attempt;
  Progress progress;
  WallTime at;
};

// What a task is told of one that it depended on.
struct DependencyEnd {
  std::string step;  // its name, when both belong to the same workflow, or ""
  State state = State::succeeded;
  std::optional<std::string> result;  // JSON
};

// --- queues ------------------------------------------------------------------------------------
enum class QueueVerb { pause, resume, drain };  // resume ends both
struct QueueInUse {
  QueueInfo info;  // it still has tasks; the queue `default` always is in use
};
// EditedMeanwhile: its defaults are not those of `defaults_were`.
using QueueResult = std::variant<QueueInfo, UnknownQueue, QueueInUse, EditedMeanwhile>;

// --- schedules ----------------------------------------------------------------------------------
struct UnknownSchedule {
  std::string name;
};
struct NotYours {};  // the schedule of this name is another user's
using ScheduleResult = std::variant<Schedule, UnknownSchedule, NotYours, UnknownQueue>;
using TriggerResult = std::variant<TaskId, UnknownSchedule, NotYours, UnknownQueue, QueueFull>;

// What to do about a schedule, as decided from its rule.
struct Firing {
  std::int64_t schedule = 0;
  WallTime was_done_until;  // as it was read: nothing happens if somebody changed it since
  std::vector<WallTime> slots;
  WallTime done_until;
  std::optional<WallTime> next_at;
};

// --- what hooks are told -------------------------------------------------------------------------
// No back-off between two tries of a delivery is longer.
inline constexpr std::int64_t kMaxDeliveryDelayMs = 2LL * 3600 * 1000;

struct DueDelivery {
  std::optional<Delivery> delivery;  // may be tried now
  std::string task;                  // with it: the task as it was at the change, as JSON
  std::optional<WallTime> next;      // else when one may be
  std::optional<WallTime> oldest;    // the change that has waited longest, due or not
};
struct DeliveryTry {
  const Delivery& delivery;  // as due_delivery() gave it
  DeliveryState state = DeliveryState::pending;
  WallTime next_at;   // with pending
  std::string error;  // "" = none
};

// --- reads -------------------------------------------------------------------------------------
struct ListRequest {
  Actor actor;
  Filter filter;
  bool oldest_first = false;    // else the newest first
  std::optional<TaskId> after;  // go on after this id, in the list's order
  int limit = 100;
  // As ids_of() gave it for this filter, for lists that are read bit by bit; else it is looked up.
  std::optional<IdRange> within = {};
};

class TaskStore {
 public:
  // Opens or creates the database, checks it, migrates it, counts the start (generation) and
  // starts the writer. Throws UsageError with a sysexits code and a sentence naming the file: not
  // a taskd database or damaged (65), schema of a newer taskd (78), unreadable, read-only or on a
  // full disk (73).
  static std::unique_ptr<TaskStore> open(StoreOptions options);
  ~TaskStore();  // finishes the commands already given, then closes

  // Which start of the daemon on this database this is, from 1. Stamped on every event.
  std::int64_t generation() const;

  // Makes these queues exist and have what the patches say; others stay as they are.
  void configure_queues(std::span<const QueuePatch> queues);
  // Changes the queue's settings. A queue that is not there is made, if `create`. Limits never stop
  // what runs, and a capacity refuses only what comes.
  QueueResult set_queue(const Actor& actor, const QueuePatch& patch, bool create);
  QueueResult control_queue(const Actor& actor, const std::string& queue, QueueVerb verb,
                            const std::string& why = "");
  // Only one that has no tasks, not even ended ones.
  QueueResult remove_queue(const Actor& actor, const std::string& queue);
  std::optional<QueueInfo> queue(const std::string& name);
  std::vector<QueueInfo> queues();  // by name
  // What a submit into it takes that says nothing else, as JSON; "" without any. From memory, since
  // every submit asks.
  std::string queue_defaults(const std::string& queue);

  // Makes the schedule, or gives it these settings; an `every` counts from now. Its owner is who
  // made it; another's can be changed by an admin alone. Its slots begin after now.
  ScheduleResult put_schedule(const Actor& actor, const ScheduleSettings& settings);
  // What would have fired while it was paused is not missed: it begins anew with resume.
  ScheduleResult pause_schedule(const Actor& actor, const std::string& name,
                                const std::string& why);
  ScheduleResult resume_schedule(const Actor& actor, const std::string& name);
  // Its tasks stay.
  ScheduleResult remove_schedule(const Actor& actor, const std::string& name);
  // Submits its task now, whatever its slots, its pause and its overlap say.
  TriggerResult trigger_schedule(const Actor& actor, const std::string& name);
  // The clock was put back to `now`: slots that were dealt with after that are looked at again, and
  // only those that never were will fire; keys whose rate was to let something go later are, too.
  void rewind_clock(WallTime now);
  // Those whose next_at is not after `now`, at most `limit`.
  std::vector<Schedule> due_schedules(WallTime now, int limit);
  // Deals with the slots, all in one commit: each submits the schedule's task, unless it was dealt
  // with ever before, a task of the schedule has not ended (by its Overlap), or the queue takes
  // nothing. What became of those that were new.
  std::vector<Slot> fire(const Firing& firing);
  // The earliest next_at of all.
  std::optional<WallTime> next_schedule_at();
  std::vector<Schedule> schedules(const Actor& actor);  // by name
  std::optional<Schedule> schedule(const Actor& actor, const std::string& name);
  // Up to `limit` slots that were dealt with, the latest first.
  std::vector<Slot> slots(std::int64_t schedule, int limit);

  SubmitResult submit(const SubmitRequest& request);

  // Up to `limit` of the tasks that may start, now running. Among the queues whose limits leave
  // room they go in turns, by weight; inside a queue in the order of (priority, id).
  Claims claim(int limit);
  // Records the ends (guarded by task, attempt and token) and claims up to `claim_limit` tasks in
  // the same commit. One result per finish; the claims are in the last one's.
  std::vector<FinishResult> finish(std::span<const Finish> finishes, int claim_limit);
  // Everything in `running`, by id: for recovery.
  std::vector<Claim> running_attempts();
  // Notes in the events that an attempt was adopted by this generation.
  void record_adopted(TaskId task, int attempt, const std::string& token);

  // A `signal` only notes that somebody wants it sent to what runs; sending is up to the caller.
  ControlResult control(const ControlRequest& request);
  EditResult edit(const EditRequest& request);

  // And this is its token.
  bool is_running(const AttemptKey& attempt);
  // Of attempts that are still their tasks' latest; other reports are dropped.
  void write_progress(std::span<const ProgressReport> reports);
  // False: the attempt is not live, or this is not its token; nothing changed. A later one of the
  // same attempt replaces it, and so does what the attempt's end brings (AttemptEnd::result).
  bool set_result(const AttemptKey& attempt, const std::string& json);
  // The latest attempt's, kept with the task.
  std::optional<TaskResult> result(TaskId id);
  std::optional<std::string> result_of(TaskId id);  // JSON
  // What became of a task that `dependant` depends on. Nothing when it is removed.
  std::optional<DependencyEnd> dependency_end(TaskId dependant, TaskId on);

  // Moves tasks that are due to `queued`, and those that a key's rate or their dependencies let go,
  // at most `limit` of each; returns when the next one is.
  std::optional<WallTime> promote(WallTime now, int limit);
  // Deletes ended tasks whose keep time (at least ten seconds) is over, at most `limit`, old keys,
  // slots, deliveries and events; the deleted ones come back with their number of attempts so that
  // their files can be removed.
  struct Pruned {
    TaskId id = 0;
    int attempts = 0;
  };
  struct PruneResult {
    std::vector<Pruned> tasks;
    std::optional<WallTime> next;  // when the next task's keep time is over
  };
  PruneResult prune(WallTime now, int limit);
  // The highest id ever given out, 0 before the first; and the ids in [first, last] of the tasks
  // that exist. For finding files of tasks that do not exist any more.
  TaskId newest_id();
  std::vector<TaskId> ids_between(TaskId first, TaskId last);

  // A new daemon has come: what waits for a hook may be tried at once, and what waits for one that
  // is not declared any more is given up. Returns how many were.
  std::int64_t resume_deliveries();
  // The first delivery to the hook that may be tried. Those about one task come one after the
  // other, each once the one before is through; others do not wait for it.
  DueDelivery due_delivery(const std::string& hook, WallTime now);
  // Records a try, guarded by the number of tries before it. False: somebody else did meanwhile.
  bool record_try(const DeliveryTry& result);
  // Gives up what has waited for the hook since `before` or longer, at most `limit`. Returns how
  // many.
  int give_up_deliveries(const std::string& hook, WallTime before, int limit);
  // Up to `limit` of the task's deliveries after `after` (a seq), in order.
  std::vector<Delivery> deliveries(TaskId task, std::int64_t after, int limit);
  HookCounts hook_counts(const std::string& hook);

  std::optional<Task> get(const Actor& actor, TaskId id);
  std::vector<Task> list(const ListRequest& request);
  // Where the tasks of the filter's times are: those outside do not match.
  IdRange ids_of(const Filter& filter);
  // With all of its tasks.
  std::optional<Workflow> workflow(const Actor& actor, WorkflowId id);
  // Up to `limit`, the newest first, all or those before an id.
  std::vector<Workflow> workflows(const Actor& actor, std::optional<WorkflowId> before, int limit);
  // Nothing for a task that the actor does not see.
  std::optional<Why> why(const Actor& actor, TaskId id);
  // The newest id visible to the actor: what `last` means.
  std::optional<TaskId> last(const Actor& actor);
  // Up to `limit` attempts of the task numbered above `after`, in order.
  std::vector<Attempt> attempts(TaskId id, int after = 0, int limit = 1000);

 private:
  struct Impl;
  void load_queue_defaults();
  ControlResult control_filter(const ControlRequest& request);
  ControlResult preview_filter(const ControlRequest& request);
  void end_arrays(const ControlRequest& request);
  explicit TaskStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace taskd
