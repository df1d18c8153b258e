// The store's requests and answers. Plain data.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/limits/concurrency_key.h"
#include "daemon/limits/demand.h"
#include "daemon/limits/queue.h"
#include "daemon/task/delivery.h"
#include "daemon/task/schedule.h"
#include "daemon/task/state_machine.h"
#include "daemon/task/task.h"
#include "daemon/task/workflow.h"

namespace taskd {

// The user behind a request, which decides what it may see and change.
struct Actor {
  std::uint32_t uid = 0;
  bool admin = false;  // root and the daemon's own user: sees everyone's

  // Whether the actor sees things of `owner`. SQL filters must agree with this.
  bool sees(std::uint32_t owner) const { return admin || uid == owner; }
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
  std::string request_digest;   // of the request, compared under the same key
  // If set, the tasks form a workflow of this name, one for each step.
  std::optional<std::string> workflow = {};
  std::vector<StepOf> steps = {};
};
struct Submitted {
  std::vector<TaskId> ids;
  bool repeated = false;       // the key was used before: these are the earlier tasks
  std::vector<bool> existing;  // by id: an existing task with the same unique key
  bool any_existing = false;
  WorkflowId workflow = 0;  // 0 = none, or removed in the meantime
  std::vector<Task> tasks;  // the new ones; without their specs, which the request has
};
struct UnknownQueue {
  std::string queue;
};
struct QueueFull {
  std::string queue;
  std::int64_t capacity = 0;
  bool draining = false;    // a person drained it: it takes no new tasks
  std::int64_t asked = 0;   // number of tasks; more than the capacity can never fit
  std::size_t changed = 0;  // for a filter's retry or move: tasks put there before
};
struct KeyReused {};    // same key, other body
struct UnknownHook {};  // a hook in a task's `notify` is not declared
struct UnknownDependency {
  std::size_t index = 0;  // of the task in the request
  TaskId task = 0;        // the missing task, or one hidden from the actor
};
using SubmitResult =
    std::variant<Submitted, UnknownQueue, UnknownHook, QueueFull, KeyReused, UnknownDependency>;

// --- claim and finish --------------------------------------------------------------------------
struct Claim {
  TaskId task = 0;
  int attempt = 0;
  std::string token;
  // For the command only; empty in running_attempts(), since it is not stored.
  std::string secret;
  std::uint32_t uid = 0;   // the owner
  std::string spec_text;   // from the writer, which does not parse specs: see read_spec()
  TaskSpec spec;           // without dependencies
  std::string unreadable;  // why the stored spec cannot be read; "" = it can
  bool has_dependencies = false;
  std::optional<ArrayPlace> array;
  Grant grant;                    // empty in running_attempts()
  bool cancel_requested = false;  // set only by running_attempts()
  std::string boot_id;            // set only by running_attempts()
};
// Parses the spec of a claim made by the writer (StoreOptions::on_claims); other claims have theirs
// already. If the text is unreadable, sets `unreadable`.
void read_spec(Claim& claim);
struct Finish {
  TaskId task = 0;
  int attempt = 0;
  std::string token;
  AttemptEnd end;
};
struct Claims {
  std::vector<Claim> claims;
  bool more = false;              // another task may start right now
  std::optional<WallTime> later;  // if not: when a rate limit allows the next
};
struct FinishResult {
  bool accepted = false;  // false: the token is no longer the attempt's; nothing changed
  Claims next;
};

// --- control -----------------------------------------------------------------------------------
enum class Verb { cancel, retry, hold, release, remove, move, signal };
std::string_view to_string(Verb);

// Ids from `first` to `last`, inclusive.
struct IdRange {
  TaskId first = 1;
  TaskId last = std::numeric_limits<TaskId>::max();
  bool operator==(const IdRange&) const = default;
};

struct Filter {
  std::vector<IdRange> ids = {};  // ascending, disjoint; empty = any
  std::vector<State> states;      // empty = any
  std::optional<std::string> queue;
  std::optional<std::string> name;
  std::optional<std::uint32_t> uid;
  std::optional<WorkflowId> workflow;
  std::vector<std::pair<std::string, std::string>> labels;  // all must match
  std::optional<WallTime> since;                            // created at or after
  std::optional<WallTime> until = {};                       // created before
  // Why it failed; empty = any, including tasks that did not fail.
  std::vector<Reason> reasons = {};
  std::optional<std::string> key = {};
  std::optional<WallTime> ended_since = {};   // at or after
  std::optional<WallTime> ended_before = {};  // set: it has ended, before this

  bool operator==(const Filter&) const = default;
};

struct ControlChange {
  TaskId id = 0;
  State state = State::queued;    // after the verb; for `remove`, before
  bool cancel_requested = false;  // it was running: it ends once its processes are dead
  int attempts = 0;               // number of attempts so far
};

// Either ids (all or nothing) or a filter: the tasks that existed when the call began and to which
// the verb applies. A filter is applied in commits of some hundred tasks, so that ends and starts
// of other tasks are not delayed. After an exception, some tasks may have changed; repeating the
// call does the rest. A retry or a move stops at a queue's capacity. More than a thousand ids, and
// removals of tasks with more than some thousand dependencies, are all checked first, so that
// nothing changes if one is wrong, and are then applied like a filter.
struct ControlRequest {
  Actor actor;
  Verb verb = Verb::cancel;
  std::vector<TaskId> ids;
  std::optional<Filter> filter;
  std::string detail = {};  // recorded with each change: the signal's name
  std::string queue = {};   // with Verb::move: the new queue
  bool dry_run = false;     // changes nothing, and returns what it would change
  // Called after each commit with its changes, on the caller's thread.
  std::function<void(std::span<const ControlChange>)> on_commit = {};
};
struct NotFound {
  TaskId id = 0;
};
// It cannot be removed: an array that is still being submitted depends on it.
struct NeededByArray {
  TaskId id = 0;
  TaskId array = 0;
};
struct WrongState {
  TaskId id = 0;
  State state = State::queued;
  TaskId duplicate = 0;  // if not 0: an active task has the same unique key
};                       // the verb does not apply
// The result of a dry run: the tasks that the real run would change.
struct Preview {
  struct Count {
    std::string queue;
    State state = State::queued;
    std::int64_t count = 0;
  };
  std::int64_t count = 0;
  std::vector<Count> counts;  // by queue and current state
  std::vector<TaskId> first;  // the oldest of them
  std::string full_queue;     // the run would stop because this queue is full; "" = none

  void add(const Preview& more);
};
inline constexpr std::size_t kMaxIdsOfCommit = 1000;
inline constexpr std::size_t kMaxPreviewed = 10'000;
// Holds only the first kMaxPreviewed changes; ControlRequest::on_commit gets all.
using ControlResult = std::variant<std::vector<ControlChange>, NotFound, WrongState, NeededByArray,
                                   UnknownQueue, QueueFull, Preview>;

// --- edit --------------------------------------------------------------------------------------
// Gives a waiting task another spec and maybe another start time.
struct EditRequest {
  Actor actor;
  TaskId task = 0;
  // The spec that the edit is based on. Nothing changes if the task was edited meanwhile.
  TaskSpec was;
  std::optional<WallTime> was_due_at;
  NewTask to;
  bool sets_start = false;  // if false, the start stays, and `to` has none
  bool retry = false;       // it has ended, and shall run again with a fresh budget
  std::string fields;       // names of the changed fields, for the events: "priority,env"
};
struct Edited {};
struct EditedMeanwhile {};
using EditResult =
    std::variant<Edited, NotFound, WrongState, EditedMeanwhile, UnknownQueue, QueueFull>;

// --- job reports -------------------------------------------------------------------------------
struct ProgressReport {
  AttemptKey attempt;
  Progress progress;
  WallTime at;
};

// The end of a dependency, as shown to the dependant.
struct DependencyEnd {
  std::string step;  // its step name, if both belong to the same workflow, else ""
  State state = State::succeeded;
  std::optional<std::string> result;  // JSON
};

// --- queues ------------------------------------------------------------------------------------
enum class QueueVerb { pause, resume, drain };  // resume undoes both
struct QueueInUse {
  QueueInfo info;  // it still has tasks; the queue `default` always counts as used
  std::vector<std::string> schedules = {};  // names of schedules that submit to it
};
// EditedMeanwhile: its defaults are no longer `defaults_were`.
using QueueResult = std::variant<QueueInfo, UnknownQueue, QueueInUse, EditedMeanwhile>;

// --- keys ---------------------------------------------------------------------------------------
struct UnknownKey {};
struct AmbiguousKey {
  std::vector<std::uint32_t> uids;  // users with a key of this name; only the first few
};
using KeyResult = std::variant<KeyInfo, UnknownKey, AmbiguousKey>;
struct KeysRequest {
  Actor actor = {};
  std::optional<std::string> name = {};
  std::optional<std::uint32_t> uid = {};
  bool active = false;                      // only keys with a task running, queued or held back
  std::optional<std::int64_t> before = {};  // only keys older than this id
  int limit = 100;
};

// --- schedules ----------------------------------------------------------------------------------
// Schedule names are per user.
struct ScheduleId {
  std::uint32_t uid = 0;
  std::string name;
};
struct UnknownSchedule {};  // it does not exist, or belongs to somebody else
using ScheduleResult = std::variant<Schedule, UnknownSchedule, UnknownQueue>;
struct Triggered {
  TaskId task = 0;
  bool existing = false;  // an existing task with its unique key; nothing was submitted
};
using TriggerResult = std::variant<Triggered, UnknownSchedule, UnknownQueue, QueueFull>;

// What to do about a schedule, derived from its rule.
struct Firing {
  std::int64_t schedule = 0;
  WallTime was_done_until;  // the value that was read: nothing happens if it changed meanwhile
  std::vector<WallTime> slots;
  WallTime done_until;
  std::optional<WallTime> next_at;
  bool refuse = false;    // the daemon does not accept its task: the slots count as refused
  std::string stop = {};  // if not "": pause the schedule for this reason
};

// --- deliveries to hooks -------------------------------------------------------------------------
// The longest back-off between two tries of a delivery.
inline constexpr std::int64_t kMaxDeliveryDelayMs = 2LL * 3600 * 1000;

// Whose turn it is at a hook.
struct DeliveryTurn {
  std::optional<std::uint32_t> after = {};  // the user of the latest turn; users take turns by uid
  // Users skipped for now, because the hook was down for them lately.
  std::vector<std::uint32_t> resting = {};
};
struct DueDelivery {
  std::optional<Delivery> delivery;  // due now
  // Set with `delivery`: the task at the time of the change, as JSON.
  std::string task;
  // Otherwise: when the next one is due, of users not in `resting`.
  std::optional<WallTime> next;
};
struct DeliveryTry {
  const Delivery& delivery;  // from due_delivery()
  DeliveryState state = DeliveryState::pending;
  WallTime next_at;   // with pending
  std::string error;  // "" = none
};

// --- reads -------------------------------------------------------------------------------------
struct ArrayInfo {
  TaskId id = 0;  // id of its first task; the others follow
  std::int64_t first_index = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;  // number of its tasks
  std::int64_t made = 0;   // less than `count`: it is still being submitted, and cannot be named
  std::int64_t ended = 0;  // including tasks removed in the meantime
  std::int64_t succeeded = 0;

  bool is_whole() const { return made == count; }
  TaskId last_id() const { return id + count - 1; }
};

// How many of some tasks have ended.
struct EndedCounts {
  std::int64_t count = 0;
  std::int64_t ended = 0;
  std::int64_t succeeded = 0;
};

struct ListRequest {
  Actor actor;
  Filter filter;
  bool oldest_first = false;    // otherwise newest first
  std::optional<TaskId> after;  // continue after this id, in the list's order
  int limit = 100;
  // From ids_of() for the same filter, so that lists read in pages look it up only once.
  std::optional<IdRange> within = {};
};

}  // namespace taskd
