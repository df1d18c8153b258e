// What the store is asked and what it answers. Plain data.
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

// Whose tasks a request may see and touch.
struct Actor {
  std::uint32_t uid = 0;
  bool admin = false;  // root and the daemon's own user: everyone's

  // Whether what belongs to `owner` is there for him. SQL that filters by it says the same.
  bool sees(std::uint32_t owner) const { return admin || uid == owner; }
};

// --- submit -----------------------------------------------------------------------------------
struct StepOf {
  std::string name;
  std::vector<StepNeed> needs;
};
struct SubmitRequest {
  Actor actor;
  std::vector<NewTask> tasks;     // all or none
  std::string idempotency_key;    // "" = none
  std::string request_digest;     // of what is asked for, compared under the same key
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
  std::vector<Task> tasks;  // the new ones; their specs are empty here: the request has them
};
struct UnknownQueue {
  std::string queue;
};
struct QueueFull {
  std::string queue;
  std::int64_t capacity = 0;
  bool draining = false;    // a person said it takes nothing more
  std::int64_t asked = 0;   // so many tasks at once; more than the capacity never fit
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
  std::string secret;      // for the command alone; not from running_attempts(): it is not stored
  std::uint32_t uid = 0;   // the owner
  std::string spec_text;   // from the writer, which reads no spec: see read_spec()
  TaskSpec spec;           // without its dependencies
  std::string unreadable;  // why the stored spec cannot be read; "" = it could
  bool has_dependencies = false;
  std::optional<ArrayPlace> array;
  Grant grant;                    // not from running_attempts()
  bool cancel_requested = false;  // only from running_attempts()
  std::string boot_id;            // only from running_attempts()
};
// Fills in the spec of a claim that the writer made (StoreOptions::on_claims); the others have
// theirs. Where the text cannot be read, the claim says so.
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
  std::optional<WallTime> later;  // else when a rate limit will let one
};
struct FinishResult {
  bool accepted = false;  // false: the attempt is not this token's any more; nothing changed
  Claims next;
};

// --- control -----------------------------------------------------------------------------------
enum class Verb { cancel, retry, hold, release, remove, move, signal };
std::string_view to_string(Verb);

// Ids from `first` to `last`.
struct IdRange {
  TaskId first = 1;
  TaskId last = std::numeric_limits<TaskId>::max();
  bool operator==(const IdRange&) const = default;
};

struct Filter {
  std::vector<IdRange> ids = {};  // in order, none twice; empty = any
  std::vector<State> states;      // empty = any
  std::optional<std::string> queue;
  std::optional<std::string> name;
  std::optional<std::uint32_t> uid;
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

struct ControlChange {
  TaskId id = 0;
  State state = State::queued;    // afterwards; for `remove`, before
  bool cancel_requested = false;  // running: it will end once the tree is dead
  int attempts = 0;               // how many it has had
};

// Ids (all or nothing), then a filter: whatever the verb applies to among the tasks that were there
// when the call began. A filter is worked off in commits of some hundred tasks, so that it
// does not hold up the ends and starts of others; after an exception the first of them may stand,
// and repeating the call does the rest. A retry or a move goes no further than a queue's capacity.
// More than a thousand ids, or of a removal tasks with more than some thousand dependencies, are
// looked at all together, so that nothing is done where one of them is wrong, and then worked off
// as a filter is.
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
// It cannot be removed: an array whose submit is under way depends on it.
struct NeededByArray {
  TaskId id = 0;
  TaskId array = 0;
};
struct WrongState {
  TaskId id = 0;
  State state = State::queued;
  TaskId duplicate = 0;  // not its state: this one has its unique key and has not ended
};                       // the verb does not apply
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
  std::string full_queue;     // it goes no further, since this queue takes nothing more; "" = none

  void add(const Preview& more);
};
inline constexpr std::size_t kMaxIdsOfCommit = 1000;
inline constexpr std::size_t kMaxPreviewed = 10'000;
// Of the changes the first kMaxPreviewed; ControlRequest::on_commit is told of all.
using ControlResult = std::variant<std::vector<ControlChange>, NotFound, WrongState, NeededByArray,
                                   UnknownQueue, QueueFull, Preview>;

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
  std::vector<std::string> schedules = {};  // that submit to it, by name
};
// EditedMeanwhile: its defaults are not those of `defaults_were`.
using QueueResult = std::variant<QueueInfo, UnknownQueue, QueueInUse, EditedMeanwhile>;

// --- keys ---------------------------------------------------------------------------------------
struct UnknownKey {};
struct AmbiguousKey {
  std::vector<std::uint32_t> uids;  // who has one of this name; the first few
};
using KeyResult = std::variant<KeyInfo, UnknownKey, AmbiguousKey>;
struct KeysRequest {
  Actor actor = {};
  std::optional<std::string> name = {};
  std::optional<std::uint32_t> uid = {};
  bool active = false;  // only those that have a task running, queued or held back
  std::optional<std::int64_t> before = {};  // only older ones than this id
  int limit = 100;
};

// --- schedules ----------------------------------------------------------------------------------
// Names belong to their users: two may have schedules of one name.
struct ScheduleId {
  std::uint32_t uid = 0;
  std::string name;
};
struct UnknownSchedule {};  // it is not there, or not the actor's to touch
using ScheduleResult = std::variant<Schedule, UnknownSchedule, UnknownQueue>;
struct Triggered {
  TaskId task = 0;
  bool existing = false;  // there already by its unique key, so nothing was submitted
};
using TriggerResult = std::variant<Triggered, UnknownSchedule, UnknownQueue, QueueFull>;

// What to do about a schedule, as decided from its rule.
struct Firing {
  std::int64_t schedule = 0;
  WallTime was_done_until;  // as it was read: nothing happens if somebody changed it since
  std::vector<WallTime> slots;
  WallTime done_until;
  std::optional<WallTime> next_at;
  bool refuse = false;    // the daemon does not take its task: the slots count as refused
  std::string stop = {};  // if not "": it fires no more, and is paused for this reason
};

// --- what hooks are told -------------------------------------------------------------------------
// No back-off between two tries of a delivery is longer.
inline constexpr std::int64_t kMaxDeliveryDelayMs = 2LL * 3600 * 1000;

// Whose turn at a hook it is.
struct DeliveryTurn {
  std::optional<std::uint32_t> after = {};  // who had the last one; by uid, round and round
  std::vector<std::uint32_t> resting = {};  // to whom the hook was down lately: they have none
};
struct DueDelivery {
  std::optional<Delivery> delivery;  // may be tried now
  std::string task;                  // with it: the task as it was at the change, as JSON
  std::optional<WallTime> next;      // else when one may be, of who does not rest
};
struct DeliveryTry {
  const Delivery& delivery;  // as due_delivery() gave it
  DeliveryState state = DeliveryState::pending;
  WallTime next_at;   // with pending
  std::string error;  // "" = none
};

// --- reads -------------------------------------------------------------------------------------
struct ArrayInfo {
  TaskId id = 0;  // of its first task; those of the others follow
  std::int64_t first_index = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;  // of its tasks
  std::int64_t made = 0;   // fewer: its submit is under way, and nobody is to name it
  std::int64_t ended = 0;  // also those that were removed since
  std::int64_t succeeded = 0;

  bool is_whole() const { return made == count; }
  TaskId last_id() const { return id + count - 1; }
};

// Of some tasks.
struct EndedCounts {
  std::int64_t count = 0;
  std::int64_t ended = 0;
  std::int64_t succeeded = 0;
};

struct ListRequest {
  Actor actor;
  Filter filter;
  bool oldest_first = false;    // else the newest first
  std::optional<TaskId> after;  // go on after this id, in the list's order
  int limit = 100;
  // As ids_of() gave it for this filter, for lists that are read bit by bit; else it is looked up.
  std::optional<IdRange> within = {};
};

}  // namespace taskd
