// What a command works with on the writer thread: the open transaction, and the only way to change
// a task. Every change is a guarded UPDATE together with its event, its counts, its Change and its
// notifications.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/limits/demand.h"
#include "daemon/store/db/commit_times.h"
#include "daemon/store/db/connection.h"
#include "daemon/store/limits/queue_table.h"
#include "daemon/store/task_store.h"
#include "daemon/store/write/outbox.h"
#include "daemon/task/spec_json.h"
#include "daemon/task/state_machine.h"

namespace taskd {

enum class BlockedOn { key, dependencies };

// The columns of a task that transitions change.
struct TaskRow {
  State state = State::queued;
  std::optional<BlockedOn> blocked_on;  // set exactly while blocked
  std::optional<Reason> reason;
  int attempt = 0;
  int tries = 0;
  int lost = 0;
  int start_failures = 0;            // consecutive starts that the machine refused
  std::optional<std::string> token;  // set exactly while running
  std::optional<WallTime> due_at;
  std::optional<WallTime> started_at;
  std::optional<WallTime> ended_at;
  std::optional<WallTime> cancel_requested_at;
  std::optional<WallTime> prune_at;
};

// A spec in stored form: columns for what the writer acts on, and the whole as text. Built on a
// caller's thread, since the cost grows with the spec's length; the writer only stores it.
struct PreparedSpec {
  explicit PreparedSpec(const TaskSpec& spec);

  std::string queue;
  std::string name;
  int priority = 0;
  Demand demand;
  KeyUse key;
  Unique unique;
  StoredPolicy policy;
  std::vector<Dependency> depends_on;
  OnDependencyFailed on_dependency_failed = OnDependencyFailed::fail;
  std::map<std::string, std::string> labels;
  std::string policy_text;
  std::string text;
};

// A task as the writer knows it: its columns, without the spec (see Reader).
struct StoredTask {
  TaskId id = 0;
  std::uint32_t uid = 0;
  std::optional<std::int64_t> schedule;  // the schedule that submitted it
  std::optional<std::int64_t> key;       // id of its key
  std::optional<ArrayPlace> array;
  std::optional<WorkflowPlace> workflow;
  WallTime created_at;
  std::string queue;
  std::string name;
  int priority = 0;
  Demand demand;
  std::string stored_demand;  // as its row says
  std::string unique_key;     // "" = none
  StoredPolicy policy;
  std::string unreadable;  // why its row cannot be read; then it must not run
  TaskRow row;
  std::string stored_state;  // the state in its row
};

std::optional<StoredTask> load_task(Connection& db, TaskId id);
// The text of the task's spec, its own or its array's shared one. Nothing if there is none.
std::optional<std::string> stored_spec(Connection& db, const StoredTask& task);
// Loads a task that must exist, because an index or a list names it. Throws std::logic_error
// otherwise.
StoredTask must_load(Connection& db, TaskId id);

// What the event of a change records besides the change itself.
struct Note {
  std::string_view type;
  std::optional<std::uint32_t> actor_uid = std::nullopt;  // the person who asked, if any
  std::string detail = {};
};

inline const std::string kSpecOfArray;

class Transaction {
 public:
  Transaction(Connection& db, QueueTable& queues, const Outbox& outbox, WallTime now,
              std::int64_t generation, std::int64_t budget_us, bool short_of_space = false)
      : begun_us_(thread_cpu_us()),
        budget_us_(budget_us),
        db_(db),
        queues_(queues),
        outbox_(outbox),
        now_(now),
        generation_(generation),
        short_of_space_(short_of_space) {}

  Connection& db() { return db_; }
  QueueTable& queues() { return queues_; }
  const Outbox& outbox() const { return outbox_; }
  WallTime now() const { return now_; }
  // The transaction has reached its budget of time or bytes: work that can continue in another
  // transaction should.
  bool is_spent() const { return bytes_ > kMaxBytes || spent_us() >= budget_us_; }
  std::int64_t spent_us() const { return thread_cpu_us() - begun_us_; }
  static constexpr std::int64_t kMaxBytes = 4 << 20;  // of specs
  // The ballast is in use: nothing new may begin.
  bool short_of_space() const { return short_of_space_; }
  const std::vector<Change>& changes() const { return changes_; }

  // Asks the timer thread to look at `at`.
  void add_wake(WallTime at) {
    Change change;
    change.act_at = at;
    changes_.push_back(change);
  }

  // Adds a task in its first state. Sets `task.id`, unless an id was set aside, and the columns
  // from the spec. The spec's text may be kSpecOfArray: the text that the array's tasks share.
  void insert(StoredTask& task, const PreparedSpec& spec, const Note& note);

  // Lends the text of a spec that this transaction stored, so that a claim in the same commit need
  // not read it back. The text must outlive the transaction.
  void lend_spec(TaskId task, const std::string& text) { lent_specs_.push_back({task, &text}); }
  // The lent or stored text; nothing if there is none.
  std::optional<std::string> spec_text(const StoredTask& task);

  // Moves the task along `event` and sets its columns to `after`, whose state is filled in here.
  // Throws std::logic_error if the table of states forbids it.
  void transition(StoredTask& task, Event event, TaskRow after, const Note& note);

  // Changes columns of a task without changing its state.
  void amend(StoredTask& task, const TaskRow& after, const Note& note);

  // Gives a task that is not running another spec: its columns, its labels, and the counts of its
  // queues. Writes no event; the caller's next change does. With `new_key` it also gets the spec's
  // key and sets that key's limits.
  void respec(StoredTask& task, const PreparedSpec& spec, bool new_key);
  // The same for the queue alone.
  void requeue(StoredTask& task, const std::string& queue);

  // Deletes an ended task and all rows that belong to it.
  void remove(const StoredTask& task, const Note& note);

  void add_event(std::optional<TaskId> task, std::optional<int> attempt, const Note& note,
                 std::optional<State> from = std::nullopt, std::optional<State> to = std::nullopt);
  // `hooks` as in Change.
  void add_change(const StoredTask& task, std::uint64_t hooks = 0);
  // More tasks may start than before.
  void add_limits_change() { changes_.push_back(Change{}); }

  // A key whose tasks may have to be blocked or unblocked (keys.h). Transitions call this
  // themselves.
  void touch_key(std::int64_t key) { touched_keys_.push_back(key); }
  std::vector<std::int64_t> take_touched_keys();  // each once
  // A task whose dependants after `after` must be updated (dependencies.h), because it ended or is
  // retried. For an array: its last task ended, or one of them is retried.
  struct Moved {
    TaskId task;
    TaskId after;
  };
  void add_moved(TaskId task, TaskId after = 0) { moved_.push_back({task, after}); }
  std::vector<Moved> take_moved();  // each task once
  // How many links the command itself still updates; at least five hundred dependants in total.
  int& link_work_left() { return link_work_left_; }

  // Call around one command; undo_command() reverts its changes and counts, not its SQL.
  void begin_command();
  void undo_command();

 private:
  void count_in_array(TaskId array, State before, State after);
  // Checks whether the ids of this transaction's new tasks still ascend with their times.
  void check_order(const StoredTask& task);
  void update(StoredTask& task, const TaskRow& after);
  void count_queue(const StoredTask& task, const std::string& to);
  void add_ready(const StoredTask& task);
  void remove_ready(const StoredTask& task);
  // Returns the hooks that have something to deliver, as in Change.
  std::uint64_t notify(const StoredTask& task, HookEvent event);

  const std::int64_t begun_us_;
  const std::int64_t budget_us_;
  Connection& db_;
  QueueTable& queues_;
  const Outbox& outbox_;
  const WallTime now_;
  const std::int64_t generation_;
  const bool short_of_space_;
  std::vector<Change> changes_;
  std::vector<std::int64_t> touched_keys_;
  std::vector<Moved> moved_;
  struct LentSpec {
    TaskId task;
    const std::string* text;
  };
  std::vector<LentSpec> lent_specs_;  // by task, ascending
  static constexpr int kLinkWork = 5000;
  int link_work_left_ = kLinkWork;
  std::int64_t bytes_ = 0;
  std::size_t command_begin_ = 0;
  bool order_checked_ = false;
};

}  // namespace taskd
