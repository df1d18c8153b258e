// Reads of ids and ranges of ids, without specs. Each uses one reader lease, however many ids there
// are.
#include <algorithm>

#include "daemon/store/store_impl.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

std::optional<ArrayInfo> find_array(Connection& db, const Actor& actor, TaskId id) {
  Query row = db.query(
      "SELECT uid, first_index, step, count, made, ended, succeeded FROM arrays WHERE id = ?1");
  if (!row.bind(id).step() || !actor.sees(row.uid(0))) return std::nullopt;
  return ArrayInfo{.id = id,
                   .first_index = row.int64(1),
                   .step = row.int64(2),
                   .count = row.int64(3),
                   .made = row.int64(4),
                   .ended = row.int64(5),
                   .succeeded = row.int64(6)};
}

// Finds a user's tasks among very many others through their index.
void add_counts(Connection& db, const Actor& actor, const IdRange& ids,
                std::map<State, std::int64_t>& counts) {
  Query rows = actor.admin ? db.query(
                                 "SELECT state, count(*) FROM tasks NOT INDEXED"
                                 " WHERE ?1 IS NOT NULL AND id BETWEEN ?2 AND ?3 GROUP BY state")
                           : db.query(
                                 "SELECT state, count(*) FROM tasks INDEXED BY tasks_of_user"
                                 " WHERE uid = ?1 AND id BETWEEN ?2 AND ?3 GROUP BY state");
  rows.bind(actor.uid, ids.first, ids.last);
  while (rows.step()) counts[rows.state(0)] += rows.int64(1);
}

}  // namespace

std::optional<ArrayInfo> StoreTasks::array(const Actor& actor, TaskId id) {
  return impl_->read([&](Connection& db) { return find_array(db, actor, id); });
}

std::map<TaskId, State> StoreTasks::states(const Actor& actor, std::span<const TaskId> ids) {
  return impl_->read([&](Connection& db) {
    std::map<TaskId, State> states;
    for (const TaskId id : ids) {
      if (states.contains(id)) continue;
      Query row = db.query("SELECT state, uid FROM tasks WHERE id = ?1");
      if (!row.bind(id).step() || !actor.sees(row.uid(1))) continue;
      states.emplace(id, row.state(0));
    }
    return states;
  });
}

bool StoreTasks::sees(const Actor& actor, TaskId id) {
  return impl_->read([&](Connection& db) { return taskd::sees(db, actor, id); });
}

std::optional<TaskId> StoreTasks::first_missing(const Actor& actor, std::span<const TaskId> ids) {
  return impl_->read([&](Connection& db) -> std::optional<TaskId> {
    for (const TaskId id : ids) {
      if (!taskd::sees(db, actor, id)) return id;
    }
    return std::nullopt;
  });
}

bool StoreTasks::sees_any(const Actor& actor, const IdRange& ids) {
  return impl_->read([&](Connection& db) {
    Query row = actor.admin ? db.query(
                                  "SELECT 1 FROM tasks NOT INDEXED WHERE ?1 IS NOT NULL"
                                  " AND id BETWEEN ?2 AND ?3 LIMIT 1")
                            : db.query(
                                  "SELECT 1 FROM tasks INDEXED BY tasks_of_user WHERE uid = ?1"
                                  " AND id BETWEEN ?2 AND ?3 LIMIT 1");
    return row.bind(actor.uid, ids.first, ids.last).step();
  });
}

StoreTasks::Upstreams StoreTasks::upstreams(const Actor& actor, const IdRange& ids,
                                          std::size_t limit) {
  return impl_->read([&](Connection& db) {
    Upstreams all;
    for (TaskId id = ids.first; id <= ids.last && all.found.size() < limit; ++id) {
      Dependency& one = all.found.emplace_back();
      one.task = id;
      const auto array = find_array(db, actor, id);
      if (array && array->is_whole() && array->last_id() <= ids.last) {
        one.whole_array = true;
        id = array->last_id();
        continue;
      }
      if (array && !array->is_whole()) {
        all.unfinished = id;
      } else if (!taskd::sees(db, actor, id)) {
        all.missing = id;
      }
      if (!all.unfinished && !all.missing) continue;
      all.found.pop_back();
      break;
    }
    return all;
  });
}

std::map<State, std::int64_t> StoreTasks::state_counts(const Actor& actor,
                                                      const std::vector<IdRange>& ids) {
  return impl_->read([&](Connection& db) {
    std::map<State, std::int64_t> counts;
    for (const IdRange& range : ids) add_counts(db, actor, range, counts);
    return counts;
  });
}

std::optional<TaskId> StoreTasks::first_open(const Actor& actor, const std::vector<IdRange>& ids,
                                            TaskId from) {
  return impl_->read([&](Connection& db) -> std::optional<TaskId> {
    for (const IdRange& range : ids) {
      if (range.last < from) continue;
      Query row = actor.admin
                      ? db.query(
                            "SELECT id FROM tasks NOT INDEXED WHERE ?1 IS NOT NULL"
                            " AND id BETWEEN ?2 AND ?3 AND ended_at_ms IS NULL ORDER BY id LIMIT 1")
                      : db.query(
                            "SELECT id FROM tasks INDEXED BY tasks_of_user WHERE uid = ?1"
                            " AND id BETWEEN ?2 AND ?3 AND ended_at_ms IS NULL ORDER BY id LIMIT 1");
      if (row.bind(actor.uid, std::max(range.first, from), range.last).step()) return row.int64(0);
    }
    return std::nullopt;
  });
}

EndedCounts StoreTasks::count_ends(const Actor& actor, const std::vector<IdRange>& ids) {
  return impl_->read([&](Connection& db) {
    EndedCounts ends;
    std::map<State, std::int64_t> others;
    for (const IdRange& range : ids) {
      const auto array = find_array(db, actor, range.first);
      if (!array || array->last_id() != range.last) {
        add_counts(db, actor, range, others);
        continue;
      }
      ends.count += array->count;
      ends.ended += array->ended;
      ends.succeeded += array->succeeded;
    }
    for (const auto& [state, count] : others) {
      ends.count += count;
      if (is_end(state)) ends.ended += count;
      if (state == State::succeeded) ends.succeeded += count;
    }
    return ends;
  });
}

}  // namespace taskd
