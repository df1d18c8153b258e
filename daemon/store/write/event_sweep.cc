#include "daemon/store/write/event_sweep.h"

#include <algorithm>

namespace taskd {
namespace {

constexpr std::int64_t kAtOnce = 2000;  // rows per step

}  // namespace

void EventSweep::begin_if_due(Connection& reader) {
  Query row = reader.query("SELECT seq FROM events ORDER BY seq DESC LIMIT 1");
  if (!row.step()) return;
  const std::int64_t newest = row.int64(0);
  if (newest - began_at_ < std::max(keep_ / 2, seen_last_ / 4)) return;
  began_at_ = newest;
  walking_ = true;
  cursor_ = 0;
  keep_from_ = newest - keep_ + 1;
  seen_ = 0;
  gone_ = 0;
}

EventSweep::Step EventSweep::look(Connection& reader) {
  if (!walking_) begin_if_due(reader);
  Step step;
  if (!walking_) return step;
  Query rows = reader.query(
      "SELECT seq, task_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id)"
      " FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2");
  rows.bind(cursor_, kAtOnce);
  std::int64_t count = 0;
  while (rows.step()) {
    ++count;
    cursor_ = rows.int64(0);
    if (rows.int64(1) == 0) continue;
    if (cursor_ < keep_from_)
      step.seqs.push_back(cursor_);
    else
      ++gone_;
  }
  seen_ += count;
  step.more = count == kAtOnce;
  if (step.more) return step;
  walking_ = false;
  seen_last_ = seen_;
  kept_ = gone_;
  return step;
}

}  // namespace taskd
