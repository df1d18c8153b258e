// The durable state: every task, attempt and event, in SQLite.
//
// Threading: every method may be called from any thread. Writes are commands to the one writer
// thread, which commits many at once; a write returns after the COMMIT that holds it was synced.
// Reads use a pool of query_only connections and see everything committed before the call.
// Durability: WAL, synchronous=FULL. A failed COMMIT or any I/O error ends the process through
// `StoreOptions::on_fatal`, since after a failed fsync nothing may be acknowledged any more.
// Errors: what a caller can expect is in the result types; exceptions (SQLite::Exception,
// std::runtime_error) mean the operation cannot go on and changed nothing. StoreUnavailable
// (db/errors.h) may be thrown by everything: DiskFull by every write, StoreBusy also by reads,
// while another program holds the database locked or the machine has no descriptor to open it.
// Until the disk has room again submit, claim, retry, hold and release refuse with DiskFull; ends of
// attempts, cancels and removals go on from the ballast, while it lasts.
// Identity: see identity.h. In a copy of another store every write throws StoreIsCopy.
//
// The seam is narrow on purpose (batch in, batch out, no policy in SQL, no triggers): a second
// implementation on another database must fit behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/trusted_clock.h"
#include "daemon/store/db/commit_times.h"
#include "daemon/store/db/errors.h"
#include "daemon/store/db/identity.h"
#include "daemon/store/requests.h"
#include "daemon/task/authority.h"
#include "daemon/task/why.h"

namespace taskd {

// A committed change of one task's state, told to the listener. Task 0: more may start than before,
// since a queue has other limits; or, with `act_at`, a schedule wants to be looked at then.
struct Change {
  TaskId task = 0;
  State to = State::queued;
  bool gave_way = false;           // was queued and did not start: what it kept back may start
  bool cancel_requested = false;   // of a running task; `to` is running
  std::optional<WallTime> act_at;  // when time moves it on: due (scheduled), kept until (ended)
  std::uint64_t hooks = 0;         // bit i: the i-th hook of StoreOptions has something to be told

  // Something may start that could not before.
  bool lets_start() const {
    const bool is_wake = task == 0 && act_at;  // for the timekeeper
    return !is_wake && (to == State::queued || gave_way);
  }
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
  std::int64_t keep_events = 100'000;     // the newest, of tasks that were removed
  // CPU time after which a transaction gives way to the next: what others wait for at most, but for
  // one command that cannot be divided.
  std::int64_t commit_budget_us = 10'000;
  Machine machine = {};                   // what running tasks share
  const Clock* clock = nullptr;           // outlives the store
  TaskId folder_task = 0;                 // the highest id of a task that has files; 0: none
  bool adopt_copy = false;                // the database may be a copy: it becomes a store
  // One that was not closed is looked through for damage when it is opened, up to this size.
  std::int64_t check_at_open_bytes = 64 << 20;
  std::vector<HookRule> hooks = {};       // at most kMaxHooks
  // What a hook is told about a task, in two JSON objects that together have all of it: the task as
  // it was at the change, told on the writer thread, which knows of the spec no more than name,
  // queue and priority; and its spec, told on the caller's of due_delivery(). Needed with hooks.
  std::function<std::string(const Task&)> describe_task = {};
  std::function<std::string(const TaskSpec&)> describe_spec = {};
  // Called on the writer thread after each COMMIT, before its commands return. Must be quick and
  // must not call the store.
  std::function<void(std::span<const Change>)> on_commit;
  // A commit that lets tasks start claims them for idle workers. Called on the writer thread before
  // such a COMMIT: how many workers, at most `at_most`, take a claim. An answer above 0 is followed
  // by on_claims, after on_commit, with no more claims than that; with nothing where the commit or
  // the claim failed. As quick as on_commit. Empty: claims are asked for only.
  std::function<int(int at_most)> idle_workers = {};
  std::function<void(std::optional<Claims>)> on_claims = {};
  // Called once with a whole sentence when nothing may be acknowledged any more. Must not return.
  std::function<void(const std::string&)> on_fatal;
};

class TaskStore {
 public:
  // Opens or creates the database, checks it, migrates it, counts the start (generation) and
  // starts the writer. Throws UsageError with a sysexits code and a sentence naming the file: not
  // a taskd database, damaged, or missing beside what is left of it (65), schema of a newer taskd
  // (78), unreadable or read-only (73), on a full disk or locked by another program (75). A
  // database that is refused stays as it was.
  // A copy is opened to be looked at: no start is counted. With `adopt_copy` it gets an identity of
  // its own, and what ran when it was made has failed as lost.
  static std::unique_ptr<TaskStore> open(StoreOptions options);
  ~TaskStore();  // finishes the commands already given, then closes

  // Which start of the daemon on this database this is, from 1. Stamped on every event.
  std::int64_t generation() const;
  const StoreIdentity& identity() const;  // as of this start
  Provenance provenance() const;
  bool was_adopted() const;  // StoreOptions::adopt_copy found a copy

  // Makes these queues exist and have what the patches say; others stay as they are.
  void configure_queues(std::span<const QueuePatch> queues);
  // Changes the queue's settings. A queue that is not there is made, if `create`. Limits never stop
  // what runs, and a capacity refuses only what comes.
  QueueResult set_queue(const Actor& actor, const QueuePatch& patch, bool create);
  QueueResult control_queue(const Actor& actor, const std::string& queue, QueueVerb verb,
                            const std::string& why = "");
  // Only one that has no tasks, not even ended ones, and to which no schedule submits.
  QueueResult remove_queue(const Actor& actor, const std::string& queue);
  std::optional<QueueInfo> queue(const std::string& name);
  std::vector<QueueInfo> queues();  // by name
  // What a submit into it takes that says nothing else, as JSON; "" without any. From memory, since
  // every submit asks.
  std::string queue_defaults(const std::string& queue);

  // Gives a key of the actor's (an admin: anyone's) these limits, at once for all tasks that have
  // it. A key is there as long as a task has it.
  KeyResult set_key(const Actor& actor, const KeyPatch& patch);
  // The newest first, at most `limit`; with `next` there may be more, before that id.
  struct Keys {
    std::vector<KeyInfo> keys;
    std::optional<std::int64_t> next;
  };
  Keys keys(const KeysRequest& request);

  // Makes the owner's schedule, or gives it these settings; an `every` counts from now. Only an
  // admin touches another's. Its slots begin after now.
  ScheduleResult put_schedule(const Actor& actor, std::uint32_t owner,
                              const ScheduleSettings& settings);
  // What would have fired while it was paused is not missed: it begins anew with resume.
  ScheduleResult pause_schedule(const Actor& actor, const ScheduleId& id, const std::string& why);
  ScheduleResult resume_schedule(const Actor& actor, const ScheduleId& id);
  // Its tasks stay. Of what is removed the answer has the name.
  ScheduleResult remove_schedule(const Actor& actor, const ScheduleId& id);
  // Submits its task now, whatever its slots, its pause and its overlap say; not beside the one
  // that has its unique key.
  TriggerResult trigger_schedule(const Actor& actor, const ScheduleId& id);
  // The clock was put back to `now`: slots that were dealt with after that are looked at again, and
  // only those that never were will fire; keys whose rate was to let something go later are, too.
  // Intervals that were to begin later begin now, and a failed try waits no longer than its longest
  // back-off. A start that a person gave stays.
  void rewind_clock(WallTime now);
  // Those whose next_at is not after `now`, at most `limit`.
  std::vector<Schedule> due_schedules(WallTime now, int limit);
  // Deals with the slots, in as many commits as it takes: each submits the schedule's task, unless it
  // was dealt with ever before, a task of the schedule has not ended (by its Overlap), or the queue
  // takes nothing. What became of those that were new.
  std::vector<Slot> fire(const Firing& firing);
  // The earliest next_at of all.
  std::optional<WallTime> next_schedule_at();
  // Up to `limit` of the actor's, of an admin everybody's or those of `owner`; in the order in which
  // they were made, after this id.
  std::vector<Schedule> schedules(const Actor& actor, std::optional<std::uint32_t> owner = {},
                                  std::int64_t after = 0, int limit = 1000);
  std::optional<Schedule> schedule(const Actor& actor, const ScheduleId& id);
  std::vector<std::uint32_t> owners_of_schedules(const std::string& name);
  // Up to `limit` slots that were dealt with, the latest first.
  std::vector<Slot> slots(std::int64_t schedule, int limit);

  // Who the owner of a row is: from memory, since every request asks. Nothing: nobody said so yet.
  std::optional<KnownUser> known_user(std::uint32_t owner) const;
  void know_user(std::uint32_t uid, const std::string& name);
  // The uid was another's and is `name`'s now. What the other left goes to an owner of its own
  // (known_user() tells who that was), its schedules stop, and nothing of it is the uid's any more.
  // Commits a piece at a time, so it holds nobody up; after an exception a repeated call does the
  // rest.
  void set_aside(std::uint32_t uid, const std::string& name);
  // Owners of rows whom nobody has named yet.
  std::vector<std::uint32_t> unknown_users();

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
  // On what a task depends, in the order in which it was named.
  std::vector<Dependency> dependencies(TaskId id);
  // What became of a task that `dependant` depends on. Nothing when it is removed.
  std::optional<DependencyEnd> dependency_end(TaskId dependant, TaskId on);

  // Moves tasks that are due to `queued`, and those that a key's rate or their dependencies let go,
  // at most `limit` of each; returns when the next one is.
  std::optional<WallTime> promote(WallTime now, int limit);
  // Deletes ended tasks whose keep time (at least ten seconds) is over, at most `limit`, old keys,
  // slots, deliveries and events, and events of removed tasks but for the newest; the deleted tasks
  // come back with their number of attempts so that their files can be removed. From one thread.
  struct Pruned {
    TaskId id = 0;
    int attempts = 0;
  };
  struct PruneResult {
    std::vector<Pruned> tasks;
    std::optional<WallTime> next;  // when the next task's keep time is over
  };
  PruneResult prune(WallTime now, int limit);
  // How many events of removed tasks there are, as of some time ago; -1: not known yet.
  std::int64_t kept_events() const;
  // Where the trusted clock goes on: what was kept in this boot, else what the clocks show, which is
  // doubted where an earlier daemon was seen too long ago.
  TrustedClock::Point clock_point();
  void keep_clock_point(const TrustedClock::Point& point);
  // Looks through the whole database for damage, `full`: the indexes against their tables too. Reads
  // for seconds where there are a million tasks, and holds up nobody. What it found, at most 100
  // lines; nothing: all is well, or `stop` asked for it to end.
  std::vector<std::string> find_damage(bool full, const std::function<bool()>& stop);
  // Whether the daemon before this one did not close the database, and it is too large to have been
  // looked through when it was opened.
  bool was_left_open() const;
  // The highest id ever given out, 0 before the first; and the ids in [first, last] of the tasks
  // that exist. For finding files of tasks that do not exist any more.
  TaskId newest_id();
  std::vector<TaskId> ids_between(TaskId first, TaskId last);

  // A new daemon has come: what waits for a hook may be tried at once, and what waits for one that
  // is not declared any more is given up. Returns how many were.
  std::int64_t resume_deliveries();
  // The delivery to the hook that may be tried now: the first of the user whose turn it is. Those
  // about one task come one after the other, each once the one before is through; others do not
  // wait for it.
  DueDelivery due_delivery(const std::string& hook, WallTime now, const DeliveryTurn& turn = {});
  // The change that has waited for the hook the longest among this user's, due or not.
  std::optional<WallTime> oldest_delivery(const std::string& hook, std::uint32_t uid);
  // Records a try, guarded by the number of tries before it. False: somebody else did meanwhile.
  bool record_try(const DeliveryTry& result);
  // Gives up what this user's changes have waited for the hook since `before` or longer, at most
  // `limit`. Returns how many.
  int give_up_deliveries(const std::string& hook, std::uint32_t uid, WallTime before, int limit);
  // Up to `limit` of the task's deliveries after `after` (a seq), in order.
  std::vector<Delivery> deliveries(TaskId task, std::int64_t after, int limit);
  HookCounts hook_counts(const std::string& hook);

  // How long its transactions took since the start.
  CommitTimesUs commit_times() const;
  // How much must be free on its disk before it goes on, once that was full.
  std::int64_t needed_disk_bytes() const;
  std::optional<Task> get(const Actor& actor, TaskId id);
  std::vector<Task> list(const ListRequest& request);
  std::vector<TaskId> list_ids(const ListRequest& request);  // the same tasks
  // Calls `visit` with each of these tasks that is there for the actor, in this order, until it
  // returns false. On the caller's thread, with a reader: it must not call the store. One task is
  // in memory at a time, with its spec.
  void visit(const Actor& actor, std::span<const TaskId> ids,
             const std::function<bool(const Task&)>& visit);
  // The states of those of them that are there for the actor.
  std::map<TaskId, State> states(const Actor& actor, std::span<const TaskId> ids);
  // Whether there is a key of this name: the actor's own, or of an admin anybody's.
  bool has_key(const Actor& actor, const std::string& name);
  // The same of a workflow, which goes with its last task.
  bool has_workflow(const Actor& actor, WorkflowId id);
  // An array, by the id of its first task. It is there until its last task is removed, and hooks
  // have been told of it.
  std::optional<ArrayInfo> array(const Actor& actor, TaskId id);
  // Where the tasks of the filter's times are: those outside do not match.
  IdRange ids_of(const Filter& filter);
  // Without its tasks, which a filter lists.
  std::optional<Workflow> workflow(const Actor& actor, WorkflowId id);
  // Up to `limit`, fewer where they have very many tasks; the newest first, all or those before an
  // id.
  struct Workflows {
    std::vector<Workflow> workflows;
    bool more = false;
  };
  Workflows workflows(const Actor& actor, std::optional<WorkflowId> before, int limit);
  // Nothing for a task that the actor does not see.
  std::optional<Why> why(const Actor& actor, TaskId id);
  // In how long the queue will have started `count` of the tasks that wait in it, if they take as
  // long as the latest. Nothing where that cannot be told.
  std::optional<std::int64_t> room_in_ms(const std::string& queue, std::int64_t count);
  // What the running tasks have of the machine.
  MachineUse machine_use();
  // What the actor's own user submitted last, be it a task or an array: not what a schedule did,
  // nor what others did whose tasks an admin sees.
  std::optional<TaskId> last(const Actor& actor);
  // Whether the task is there for the actor.
  bool sees(const Actor& actor, TaskId id);
  // The same of all of them: the first that is not there.
  std::optional<TaskId> first_missing(const Actor& actor, std::span<const TaskId> ids);
  // Whether any of them is.
  bool sees_any(const Actor& actor, const IdRange& ids);
  // On what a task depends that depends on all of `ids`: on an array that lies in them, whole, and
  // else on each task; at most `limit`, in order, with no `on`.
  struct Upstreams {
    std::vector<Dependency> found;
    std::optional<TaskId> missing;     // they end before it: it is not there for the actor
    std::optional<TaskId> unfinished;  // the same: this array is still being made
  };
  Upstreams upstreams(const Actor& actor, const IdRange& ids, std::size_t limit);
  // Of the tasks in these ranges (as in Filter): how many there are in each state; the first at or
  // after an id that has not ended; how many have. Where a range is an array, tasks that were
  // removed count by how they ended.
  std::map<State, std::int64_t> state_counts(const Actor& actor, const std::vector<IdRange>& ids);
  std::optional<TaskId> first_open(const Actor& actor, const std::vector<IdRange>& ids,
                                   TaskId from);
  EndedCounts count_ends(const Actor& actor, const std::vector<IdRange>& ids);
  // Of the tasks in the ranges of the request's filter: how many there are in states in which the
  // verb does nothing.
  std::map<State, std::int64_t> unchanged(const ControlRequest& request);
  // Up to `limit` attempts of the task numbered above `after`, in order.
  std::vector<Attempt> attempts(TaskId id, int after = 0, int limit = 1000);

 private:
  friend class KeyedRequest;
  struct Impl;
  void load_queue_defaults();
  void load_users();
  void pause_unreadable(const Schedule& schedule);
  DueDelivery find_due_delivery(const std::string& hook, WallTime now, const DeliveryTurn& turn,
                                bool& unreadable);
  void drop_unreadable(const Delivery& delivery);
  ControlResult control_ids(const ControlRequest& request);
  ScheduleResult changed_schedule(const std::optional<ScheduleResult>& refused,
                                  const ScheduleId& id);
  std::optional<TriggerResult> try_trigger(const Actor& actor, const Schedule& schedule);
  ControlResult control_filter(const ControlRequest& request);
  std::optional<ControlResult> control_some(const ControlRequest& request,
                                            std::span<const TaskId> ids,
                                            std::size_t& count,
                                            std::vector<ControlChange>& first);
  ControlResult preview_filter(const ControlRequest& request);
  ControlResult preview_ids(const ControlRequest& request, const std::vector<TaskId>& ids);
  ControlResult control_many(const ControlRequest& request, const std::vector<TaskId>& ids);
  explicit TaskStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace taskd
