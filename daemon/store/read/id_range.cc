#include "daemon/store/read/id_range.h"

#include <algorithm>
#include <iterator>
#include <vector>

namespace taskd {
namespace {

struct Spot {
  TaskId id = 0;
  WallTime created_at;
};

// The first task at or after an id, and the last at or before one.
std::optional<Spot> task_from(Connection& db, TaskId id) {
  Query row = db.query("SELECT id, created_at_ms FROM tasks WHERE id >= ?1 ORDER BY id LIMIT 1");
  if (!row.bind(id).step()) return std::nullopt;
  return Spot{row.int64(0), row.time(1)};
}
std::optional<Spot> task_to(Connection& db, TaskId id) {
  Query row =
      db.query("SELECT id, created_at_ms FROM tasks WHERE id <= ?1 ORDER BY id DESC LIMIT 1");
  if (!row.bind(id).step()) return std::nullopt;
  return Spot{row.int64(0), row.time(1)};
}

// The ranges of ids within which times never go back, in order.
std::vector<IdRange> stretches(Connection& db, TaskId newest) {
  std::vector<IdRange> all = {{1, newest}};
  Query rows = db.query("SELECT task_id FROM clock_steps WHERE task_id > 1 ORDER BY task_id");
  while (rows.step()) {
    all.back().last = rows.int64(0) - 1;
    all.push_back({rows.int64(0), newest});
  }
  return all;
}

// The first task in the stretch that was created at or after `since`.
std::optional<TaskId> begin_of(Connection& db, const IdRange& stretch, WallTime since) {
  const std::optional<Spot> latest = task_to(db, stretch.last);
  if (!latest || latest->id < stretch.first || latest->created_at < since) return std::nullopt;
  TaskId low = stretch.first;
  TaskId high = latest->id;
  while (low < high) {
    const TaskId middle = low + (high - low) / 2;
    const Spot spot = task_from(db, middle).value();
    if (spot.created_at < since) {
      low = spot.id + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The last task in the stretch that was created before `until`.
std::optional<TaskId> end_of(Connection& db, const IdRange& stretch, WallTime until) {
  const std::optional<Spot> earliest = task_from(db, stretch.first);
  if (!earliest || earliest->id > stretch.last || earliest->created_at >= until) {
    return std::nullopt;
  }
  TaskId low = earliest->id;
  TaskId high = stretch.last;
  while (low < high) {
    const TaskId middle = high - (high - low) / 2;
    const Spot spot = task_to(db, middle).value();
    if (spot.created_at < until) {
      low = middle;
    } else {
      high = spot.id - 1;
    }
  }
  return low;
}

constexpr IdRange kNone{1, 0};

IdRange created_range(Connection& db, const Filter& filter) {
  const std::optional<Spot> newest = task_to(db, IdRange{}.last);
  if (!newest) return kNone;
  const std::vector<IdRange> all = stretches(db, newest->id);
  IdRange range{1, newest->id};
  std::optional<TaskId> bound;
  if (filter.since) {
    for (auto it = all.begin(); it != all.end() && !bound; ++it) {
      bound = begin_of(db, *it, *filter.since);
    }
    if (!bound) return kNone;
    range.first = *bound;
  }
  bound.reset();
  if (filter.until) {
    for (auto it = all.rbegin(); it != all.rend() && !bound; ++it) {
      bound = end_of(db, *it, *filter.until);
    }
    if (!bound) return kNone;
    range.last = *bound;
  }
  return range;
}

IdRange ended_range(Connection& db, const Filter& filter) {
  Query row = db.query(
      "SELECT min(id), max(id) FROM tasks INDEXED BY tasks_ended WHERE ended_at_ms IS NOT NULL AND"
      " ended_at_ms >= ?1 AND ended_at_ms < ?2");
  row.bind(filter.ended_since.value_or(WallTime{std::numeric_limits<std::int64_t>::min()}),
           filter.ended_before.value_or(WallTime{std::numeric_limits<std::int64_t>::max()}));
  if (!row.step() || row.is_null(0)) return kNone;
  return {row.int64(0), row.int64(1)};
}

}  // namespace

IdRange range_of(Connection& db, const Filter& filter) {
  IdRange range;
  if (filter.since || filter.until) range = created_range(db, filter);
  if (filter.ended_since || filter.ended_before) {
    const IdRange ended = ended_range(db, filter);
    range = {std::max(range.first, ended.first), std::min(range.last, ended.last)};
  }
  return range;
}

void note_clock_step(Connection& db, TaskId task, WallTime created_at) {
  db.run(
      "INSERT OR IGNORE INTO clock_steps (task_id) SELECT ?1 WHERE"
      " (SELECT created_at_ms FROM tasks WHERE id < ?1 ORDER BY id DESC LIMIT 1) > ?2",
      task, created_at);
}

void forget_clock_steps(Connection& db) {
  db.run("DELETE FROM clock_steps WHERE task_id <= (SELECT min(id) FROM tasks)");
}

}  // namespace taskd
