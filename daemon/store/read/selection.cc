// Lists are built from literal conditions, because SQLite uses a partial index only if its
// condition appears in the text.
#include "daemon/store/read/selection.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <algorithm>

#include "daemon/store/read/id_range.h"

namespace taskd {
namespace {

// Builds one SELECT: conditions with their values, in the order of the question marks.
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

// Walks the index of the first label, in the order of ids, and looks the others up.
void where_labels(Selection& selection, const Filter& filter) {
  const char* condition = "l.key = ? AND l.value = ?";
  for (const auto& [key, value] : filter.labels) {
    selection.where(condition, key, value);
    condition =
        "EXISTS (SELECT 1 FROM task_labels m WHERE m.task_id = t.id AND m.key = ? AND m.value = ?)";
  }
}

void where_grouped(Selection& selection, const Filter& filter) {
  if (filter.queue) selection.where("t.queue = ?", *filter.queue);
  if (filter.workflow) selection.where("t.workflow_id = ?", *filter.workflow);
  if (filter.name) {
    selection.where("t.name = ?", *filter.name);
    if (!filter.name->empty()) selection.where("t.name <> ''");  // lets SQLite use the index
  }
}

// The user, if the request is about one user's tasks only.
std::optional<std::uint32_t> user_of(const ListRequest& request) {
  return request.actor.admin ? request.filter.uid : request.actor.uid;
}

// A single key, the usual case, is walked in the order of ids; keys of several users are sorted.
void where_key(Selection& selection, Connection& db, const ListRequest& request) {
  if (!request.filter.key) return;
  const auto user = user_of(request);
  Query keys =
      user ? db.query("SELECT min(id), count(*) FROM keys WHERE name = ?1 AND uid = ?2")
           : db.query("SELECT min(id), count(*) FROM keys INDEXED BY keys_named WHERE name = ?1");
  if (user)
    keys.bind(*request.filter.key, *user);
  else
    keys.bind(*request.filter.key);
  keys.step();
  if (keys.int64(1) == 1) {
    selection.where("t.key_id = ?", keys.int64(0));
  } else {
    selection.where("t.key_id IS NOT NULL AND t.key_id IN (SELECT id FROM keys WHERE name = ?)",
                    *request.filter.key);
  }
}

void where_failed(Selection& selection, const Filter& filter) {
  std::string words;
  for (const Reason reason : filter.reasons) {
    words += (words.empty() ? "'" : ", '") + std::string(to_string(reason)) + "'";
  }
  if (!words.empty()) selection.where("t.reason IN (" + words + ")");
}

void where_times(Selection& selection, const Filter& filter) {
  if (filter.since) selection.where("t.created_at_ms >= ?", filter.since->ms);
  if (filter.until) selection.where("t.created_at_ms < ?", filter.until->ms);
  if (filter.ended_since) selection.where("t.ended_at_ms >= ?", filter.ended_since->ms);
  if (filter.ended_before) selection.where("t.ended_at_ms < ?", filter.ended_before->ms);
}

std::int64_t count_of(Connection& db, const std::string& queue) {
  Query row = db.query("SELECT total(count) FROM counters WHERE queue = ?1");
  return row.bind(queue).step() ? row.int64(0) : 0;
}
std::int64_t count_of(Connection& db, State state) {
  Query row = db.query("SELECT total(count) FROM counters WHERE state = ?1");
  return row.bind(state).step() ? row.int64(0) : 0;
}

// Walking through this many costs less than finding a shorter way.
constexpr std::int64_t kFew = 1000;

bool has_few_tasks(Connection& db, std::uint32_t uid) {
  Query row = db.query(
      "SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_of_user WHERE uid = ?1 LIMIT "
      "?2)");
  row.bind(uid, kFew + 1).step();
  return row.int64(0) <= kFew;
}

// Chooses the index to walk, each in the order of ids: one that selects few tasks, else user, queue
// or state, whichever has fewer.
std::string source(Connection& db, const ListRequest& request, std::optional<State> state) {
  const Filter& filter = request.filter;
  if (!filter.labels.empty()) return "task_labels l CROSS JOIN tasks t ON t.id = l.task_id";
  if (filter.workflow) return "tasks t INDEXED BY tasks_of_workflow";
  if (filter.key) return "tasks t INDEXED BY tasks_of_key";
  if (!filter.ids.empty()) {
    return user_of(request) ? "tasks t INDEXED BY tasks_of_user" : "tasks t NOT INDEXED";
  }
  const std::string by_state = "tasks t INDEXED BY tasks_in_state";
  const std::int64_t in_state =
      state ? count_of(db, *state) : std::numeric_limits<std::int64_t>::max();
  if (in_state <= kFew) return by_state;
  const auto user = user_of(request);
  if (user && has_few_tasks(db, *user)) return "tasks t INDEXED BY tasks_of_user";
  if (filter.name && !filter.name->empty()) return "tasks t INDEXED BY tasks_named";
  if (filter.queue && count_of(db, *filter.queue) < in_state) {
    return "tasks t INDEXED BY tasks_of_queue";
  }
  if (state) return by_state;
  if (user) return "tasks t INDEXED BY tasks_of_user";
  return "tasks t NOT INDEXED";
}

// Whether the index contains exactly what is asked for in any state; then one walk is enough.
bool is_grouped(const Filter& filter) {
  return !filter.labels.empty() || filter.workflow || filter.key || !filter.ids.empty();
}

void where_states(Selection& selection, const std::vector<State>& states) {
  std::string words;
  for (const State state : states) {
    words += (words.empty() ? "'" : ", '") + std::string(to_string(state)) + "'";
  }
  if (states.size() < std::size(kAllStates)) selection.where("t.state IN (" + words + ")");
}

// In one state, or else in any of `states`.
std::vector<TaskId> select_in_state(Connection& db, const ListRequest& request,
                                    const IdRange& within, std::optional<State> state,
                                    const std::vector<State>& states) {
  const Filter& filter = request.filter;
  const std::string id = filter.labels.empty() ? "t.id" : "l.task_id";
  Selection selection;
  where_labels(selection, filter);
  if (state) {
    selection.where("t.state = '" + std::string(to_string(*state)) + "'");
  } else {
    where_states(selection, states);
  }
  where_visible(selection, request.actor, filter);
  where_grouped(selection, filter);
  where_key(selection, db, request);
  where_failed(selection, filter);
  where_times(selection, filter);
  TaskId first = within.first;
  TaskId last = within.last;
  if (request.after && request.oldest_first) first = std::max(first, *request.after + 1);
  if (request.after && !request.oldest_first) last = std::min(last, *request.after - 1);
  if (first > 1) selection.where(id + " >= ?", first);
  if (last < IdRange{}.last) selection.where(id + " <= ?", last);
  return selection.ids(db, source(db, request, state),
                       " ORDER BY " + id + (request.oldest_first ? " ASC" : " DESC") + " LIMIT " +
                           std::to_string(request.limit));
}

using Labels = std::vector<std::pair<std::string, std::string>>;

bool has_labels(Connection& db, TaskId task, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    Query row = db.query("SELECT 1 FROM task_labels WHERE task_id = ?1 AND key = ?2 AND value = ?3");
    return row.bind(task, label.first, label.second).step();
  });
}

bool has_key(Connection& db, const StoredTask& task, const std::string& name) {
  Query row = db.query("SELECT 1 FROM keys WHERE id = ?1 AND name = ?2");
  return task.key && row.bind(*task.key, name).step();
}

bool is_in_times(const StoredTask& task, const Filter& filter) {
  if (filter.since && task.created_at < *filter.since) return false;
  if (filter.until && task.created_at >= *filter.until) return false;
  if (filter.ended_since && (!task.row.ended_at || *task.row.ended_at < *filter.ended_since)) {
    return false;
  }
  return !filter.ended_before || (task.row.ended_at && *task.row.ended_at < *filter.ended_before);
}

template <class T>
bool contains(const std::vector<T>& list, T one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

bool matches_columns(const Filter& filter, const StoredTask& task) {
  if (!contains(states_of(filter), task.row.state)) return false;
  const std::optional<Reason>& reason = task.row.reason;
  if (!filter.reasons.empty() && (!reason || !contains(filter.reasons, *reason))) return false;
  if (filter.uid && task.uid != *filter.uid) return false;
  if (filter.queue && task.queue != *filter.queue) return false;
  if (filter.name && task.name != *filter.name) return false;
  const auto has_id = [&](const IdRange& ids) {
    return ids.first <= task.id && task.id <= ids.last;
  };
  if (!filter.ids.empty() && std::none_of(filter.ids.begin(), filter.ids.end(), has_id)) {
    return false;
  }
  if (filter.workflow && (!task.workflow || task.workflow->id != *filter.workflow)) return false;
  return is_in_times(task, filter);
}

}  // namespace

std::vector<State> states_of(const Filter& filter) {
  std::vector<State> states;
  for (const State state : kAllStates) {
    if (!filter.states.empty() && !contains(filter.states, state)) continue;
    if (!filter.reasons.empty() && state != State::failed) continue;
    if ((filter.ended_since || filter.ended_before) && !is_end(state)) continue;
    states.push_back(state);
  }
  return states;
}

bool matches(Connection& db, const Filter& filter, const StoredTask& task) {
  if (!matches_columns(filter, task)) return false;
  return (!filter.key || has_key(db, task, *filter.key)) && has_labels(db, task.id, filter.labels);
}

namespace {

// Each state has its own index in the order of ids; this merges several states.
std::vector<TaskId> select_within(Connection& db, const ListRequest& request,
                                  const IdRange& within) {
  if (within.first > within.last) return {};
  const std::vector<State> states = states_of(request.filter);
  if (states.empty()) return {};
  if (states.size() == std::size(kAllStates) || is_grouped(request.filter)) {
    return select_in_state(db, request, within, std::nullopt, states);
  }
  std::vector<TaskId> ids;
  for (const State state : states) {
    const std::vector<TaskId> some = select_in_state(db, request, within, state, states);
    ids.insert(ids.end(), some.begin(), some.end());
  }
  std::sort(ids.begin(), ids.end());
  if (!request.oldest_first) std::reverse(ids.begin(), ids.end());
  if (std::cmp_less(request.limit, ids.size())) {
    ids.resize(static_cast<std::size_t>(std::max(request.limit, 0)));
  }
  return ids;
}

}  // namespace

std::vector<TaskId> select_ids(Connection& db, const ListRequest& request) {
  const IdRange within = request.within ? *request.within : range_of(db, request.filter);
  std::vector<IdRange> ranges = request.filter.ids;
  if (ranges.empty()) return select_within(db, request, within);
  if (!request.oldest_first) std::reverse(ranges.begin(), ranges.end());
  ListRequest rest = request;
  std::vector<TaskId> ids;
  for (const IdRange& range : ranges) {
    const bool is_past = request.after && (request.oldest_first ? range.last <= *request.after
                                                                : range.first >= *request.after);
    if (is_past) continue;
    const auto some = select_within(
        db, rest, {std::max(within.first, range.first), std::min(within.last, range.last)});
    ids.insert(ids.end(), some.begin(), some.end());
    rest.limit = request.limit - static_cast<int>(ids.size());
    if (rest.limit <= 0) break;
  }
  return ids;
}

}  // namespace taskd
