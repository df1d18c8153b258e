// The reads. Lists are put together from literal conditions, since SQLite uses a partial index only
// where it sees its condition in the text.
#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <stdexcept>

#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

// Puts one SELECT together: conditions with their values, in the order of the question marks.
class Selection {
 public:
  void where(const std::string& condition) {
    conditions_ += conditions_.empty() ? " WHERE " : " AND ";
    conditions_ += condition;
  }
  template <class T>
  void where(const std::string& condition, const T& value) {
    where(condition);
    values_.emplace_back(value);
  }
  void where(const std::string& condition, const std::string& a, const std::string& b) {
    where(condition, a);
    values_.emplace_back(b);
  }

  std::vector<TaskId> ids(Connection& db, const std::string& from, const std::string& tail) const {
    SQLite::Statement statement(db.database(), "SELECT t.id FROM " + from + conditions_ + tail);
    int index = 0;
    for (const auto& value : values_) {
      std::visit([&](const auto& v) { statement.bind(++index, v); }, value);
    }
    std::vector<TaskId> ids;
    while (statement.executeStep()) ids.push_back(statement.getColumn(0).getInt64());
    return ids;
  }

 private:
  std::string conditions_;
  std::vector<std::variant<std::int64_t, std::string>> values_;
};

void where_visible(Selection& selection, const Actor& actor, const Filter& filter) {
  if (!actor.admin) selection.where("t.uid = ?", std::int64_t{actor.uid});
  if (filter.uid) selection.where("t.uid = ?", std::int64_t{*filter.uid});
}

// The first label leads the way through its index, in the order of ids; the others are looked up.
void where_labels(Selection& selection, const Filter& filter) {
  const char* condition = "l.key = ? AND l.value = ?";
  for (const auto& [key, value] : filter.labels) {
    selection.where(condition, key, value);
    condition =
        "EXISTS (SELECT 1 FROM task_labels m WHERE m.task_id = t.id AND m.key = ? AND m.value = ?)";
  }
}

// Which way to walk: by label, by state or by user, whichever of them is there first.
std::string source(const ListRequest& request, std::optional<State> state) {
  if (!request.filter.labels.empty()) return "task_labels l CROSS JOIN tasks t ON t.id = l.task_id";
  if (request.filter.workflow) return "tasks t INDEXED BY tasks_of_workflow";
  if (request.filter.array) return "tasks t INDEXED BY tasks_of_array";
  if (state) return "tasks t INDEXED BY tasks_" + std::string(to_string(*state));
  if (!request.actor.admin || request.filter.uid) return "tasks t INDEXED BY tasks_of_user";
  return "tasks t NOT INDEXED";
}

std::vector<TaskId> select_in_state(Connection& db, const ListRequest& request,
                                    std::optional<State> state) {
  const Filter& filter = request.filter;
  const std::string id = filter.labels.empty() ? "t.id" : "l.task_id";
  Selection selection;
  where_labels(selection, filter);
  if (state) selection.where("t.state = '" + std::string(to_string(*state)) + "'");
  where_visible(selection, request.actor, filter);
  if (filter.queue) selection.where("t.queue = ?", *filter.queue);
  if (filter.workflow) selection.where("t.workflow_id = ?", *filter.workflow);
  if (filter.array) selection.where("t.array_id = ?", *filter.array);
  if (filter.name) selection.where("t.name = ?", *filter.name);
  if (filter.since) selection.where("t.created_at_ms >= ?", filter.since->ms);
  if (request.after) selection.where(id + (request.oldest_first ? " > ?" : " < ?"), *request.after);
  return selection.ids(db, source(request, state),
                       " ORDER BY " + id + (request.oldest_first ? " ASC" : " DESC") + " LIMIT " +
                           std::to_string(request.limit));
}

std::optional<Outcome> load_outcome(Connection& db, TaskId task, int attempt) {
  Query row = db.query(
      "SELECT outcome, code, detail FROM attempts WHERE task_id = ?1 AND number = ?2 AND"
      " outcome IS NOT NULL");
  if (!row.bind(task, attempt).step()) return std::nullopt;
  const auto kind = parse_outcome_kind(row.text(0));
  if (!kind) throw std::runtime_error("the database holds an unknown outcome: " + row.text(0));
  return Outcome{*kind, row.integer(1), row.text(2)};
}

Attempt read_attempt(const Query& row, TaskId task) {
  Attempt attempt;
  attempt.task = task;
  attempt.number = row.integer(0);
  attempt.token = row.text(1);
  attempt.boot_id = row.text(2);
  attempt.started_at = row.time(3);
  attempt.ended_at = row.optional_time(4);
  attempt.usage = {row.int64(5), row.int64(6), row.int64(7)};
  attempt.stderr_tail = row.text(8);
  return attempt;
}

}  // namespace

Task to_task(Connection& db, StoredTask stored) {
  Task task;
  task.id = stored.id;
  task.uid = stored.uid;
  task.array = stored.array;
  task.workflow = std::move(stored.workflow);
  task.spec = std::move(stored.spec);
  task.state = stored.row.state;
  task.reason = stored.row.reason;
  task.attempt = stored.row.attempt;
  task.tries = stored.row.tries;
  task.lost = stored.row.lost;
  task.created_at = stored.created_at;
  task.due_at = stored.row.due_at;
  task.started_at = stored.row.started_at;
  task.ended_at = stored.row.ended_at;
  task.cancel_requested_at = stored.row.cancel_requested_at;
  if (task.attempt == 0) return task;
  task.last_outcome = load_outcome(db, task.id, task.attempt);
  if (auto told = load_progress(db, task.id)) {
    task.progress = std::move(told->first);
    task.progress_at = told->second;
  }
  return task;
}

// Each state has its own index in the order of ids; several states are merged here.
std::vector<TaskId> select_ids(Connection& db, const ListRequest& request) {
  std::vector<State> states = request.filter.states;
  std::sort(states.begin(), states.end());
  states.erase(std::unique(states.begin(), states.end()), states.end());
  if (states.empty() || states.size() == std::size(kAllStates)) {
    return select_in_state(db, request, std::nullopt);
  }
  std::vector<TaskId> ids;
  for (const State state : states) {
    const std::vector<TaskId> some = select_in_state(db, request, state);
    ids.insert(ids.end(), some.begin(), some.end());
  }
  std::sort(ids.begin(), ids.end());
  if (!request.oldest_first) std::reverse(ids.begin(), ids.end());
  if (std::cmp_less(request.limit, ids.size())) {
    ids.resize(static_cast<std::size_t>(std::max(request.limit, 0)));
  }
  return ids;
}

std::optional<Task> TaskStore::get(const Actor& actor, TaskId id) {
  return impl_->read([&](Connection& db) -> std::optional<Task> {
    std::optional<StoredTask> task = load_task(db, id);
    if (!task || !is_visible(actor, *task)) return std::nullopt;
    return to_task(db, *std::move(task));
  });
}

std::vector<Task> TaskStore::list(const ListRequest& request) {
  return impl_->read([&](Connection& db) {
    std::vector<Task> tasks;
    for (const TaskId id : select_ids(db, request)) {
      tasks.push_back(to_task(db, load_task(db, id).value()));
    }
    return tasks;
  });
}

std::optional<TaskId> TaskStore::last(const Actor& actor) {
  return impl_->read([&](Connection& db) -> std::optional<TaskId> {
    ListRequest newest;
    newest.actor = actor;
    newest.limit = 1;
    const std::vector<TaskId> ids = select_ids(db, newest);
    if (ids.empty()) return std::nullopt;
    return ids.front();
  });
}

std::vector<Attempt> TaskStore::attempts(TaskId id, int after, int limit) {
  return impl_->read([&](Connection& db) {
    std::vector<Attempt> attempts;
    Query rows = db.query(
        "SELECT number, token, boot_id, started_at_ms, ended_at_ms, user_cpu_ms, system_cpu_ms,"
        " max_rss_bytes, stderr_tail FROM attempts WHERE task_id = ?1 AND number > ?2 ORDER BY "
        "number"
        " LIMIT ?3");
    rows.bind(id, after, limit);
    while (rows.step()) {
      attempts.push_back(read_attempt(rows, id));
      attempts.back().outcome = load_outcome(db, id, attempts.back().number);
    }
    return attempts;
  });
}

}  // namespace taskd
