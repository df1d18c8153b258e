#include <algorithm>

#include "daemon/store/store_impl.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

// As read_schedule() reads them. A macro, since statements are literals.
#define SCHEDULE_COLUMNS                                                                      \
  "id, name, uid, cron, zone, every_ms, catch_up, overlap, queue, priority, task_name, spec," \
  " created_at_ms, done_until_ms, next_at_ms, paused_at_ms, paused_by, paused_why"

Schedule read_schedule(const Query& row) {
  Schedule schedule;
  schedule.id = row.int64(0);
  ScheduleSettings& settings = schedule.settings;
  settings.name = row.text(1);
  schedule.uid = row.uid(2);
  settings.cron = row.text(3);
  settings.zone = row.text(4);
  settings.every_ms = row.int64(5);
  settings.catch_up = row.word(6, parse_catch_up);
  settings.overlap = row.word(7, parse_overlap);
  spec_from_stored(row.text(11), settings.task);
  settings.task.queue = row.text(8);
  settings.task.priority = row.integer(9);
  settings.task.name = row.text(10);
  schedule.created_at = row.time(12);
  schedule.done_until = row.time(13);
  schedule.next_at = row.optional_time(14);
  if (!row.is_null(15)) schedule.paused = Schedule::Pause{row.time(15), row.uid(16), row.text(17)};
  return schedule;
}

std::optional<Schedule> load_schedule(Connection& db, const ScheduleId& id) {
  Query row = db.query("SELECT " SCHEDULE_COLUMNS " FROM schedules WHERE uid = ?1 AND name = ?2");
  if (!row.bind(id.uid, id.name).step()) return std::nullopt;
  return read_schedule(row);
}

bool may_change(const Actor& actor, std::uint32_t owner) {
  return actor.admin || actor.uid == owner;
}

// Nothing too if the actor may not touch it.
std::optional<Schedule> find_schedule(Connection& db, const Actor& actor, const ScheduleId& id) {
  return may_change(actor, id.uid) ? load_schedule(db, id) : std::nullopt;
}

void note_schedule(Transaction& transaction, std::string_view type, const Actor& actor,
                   const ScheduleId& id) {
  transaction.add_event(std::nullopt, std::nullopt,
                        {.type = type,
                         .actor_uid = actor.uid,
                         .detail = "schedule=" + id.name + " uid=" + std::to_string(id.uid)});
}

void write_settings(Transaction& transaction, std::uint32_t owner,
                    const ScheduleSettings& settings) {
  // Looked at at once: whoever knows the rule finds its first slot. A replaced schedule keeps its
  // pause and its slots.
  transaction.db().run(
      "INSERT INTO schedules (name, uid, cron, zone, every_ms, catch_up, overlap, queue, priority,"
      " task_name, spec, created_at_ms, done_until_ms, next_at_ms)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?12)"
      " ON CONFLICT (uid, name) DO UPDATE SET cron = excluded.cron, zone = excluded.zone,"
      " every_ms = excluded.every_ms, catch_up = excluded.catch_up, overlap = excluded.overlap,"
      " queue = excluded.queue, priority = excluded.priority, task_name = excluded.task_name,"
      " spec = excluded.spec, created_at_ms = excluded.created_at_ms,"
      // Never as it was, so that a firing decided from the settings before finds nothing.
      " done_until_ms = max(excluded.done_until_ms, schedules.done_until_ms + 1),"
      " next_at_ms = CASE WHEN paused_at_ms IS NULL THEN excluded.next_at_ms END",
      settings.name, owner, settings.cron, settings.zone, settings.every_ms,
      to_string(settings.catch_up), to_string(settings.overlap), settings.task.queue,
      settings.task.priority, settings.task.name, spec_to_stored(settings.task), transaction.now());
  transaction.add_wake(transaction.now());
}

// The task waits for the ends of those of `after`, whatever they are.
TaskId insert_task(Transaction& transaction, const Schedule& schedule,
                   const std::vector<TaskId>& after, const Note& note) {
  StoredTask task;
  task.uid = schedule.uid;
  task.schedule = schedule.id;
  task.created_at = transaction.now();
  task.spec = schedule.settings.task;
  for (const TaskId id : after) task.spec.flow.depends_on.push_back({id, DependencyOn::any});
  submit_task(transaction, task, spec_to_stored(task.spec), /*hold=*/false, note);
  return task.id;
}

std::vector<TaskId> unended_tasks(Connection& db, std::int64_t schedule) {
  Query rows = db.query(
      "SELECT id FROM tasks INDEXED BY tasks_of_schedule WHERE schedule_id = ?1"
      " AND ended_at_ms IS NULL ORDER BY id");
  rows.bind(schedule);
  std::vector<TaskId> ids;
  while (rows.step()) ids.push_back(rows.int64(0));
  return ids;
}

bool has_unended_task(Connection& db, std::int64_t schedule) {
  Query row = db.query(
      "SELECT 1 FROM tasks INDEXED BY tasks_of_schedule WHERE schedule_id = ?1"
      " AND ended_at_ms IS NULL LIMIT 1");
  return row.bind(schedule).step();
}

Slot deal_with(Transaction& transaction, const Schedule& schedule, WallTime at, bool refuse) {
  Slot slot{at, transaction.now(), SlotResult::fired, std::nullopt};
  if (schedule.settings.overlap == Overlap::skip &&
      has_unended_task(transaction.db(), schedule.id)) {
    slot.result = SlotResult::overlap;
    return slot;
  }
  const bool replaces = schedule.settings.overlap == Overlap::replace;
  const auto before =
      replaces ? unended_tasks(transaction.db(), schedule.id) : std::vector<TaskId>();
  const auto existing = find_unique(transaction, schedule.uid, schedule.settings.task.flow);
  if (existing && std::find(before.begin(), before.end(), *existing) == before.end()) {
    slot.result = SlotResult::overlap;
    return slot;
  }
  // Before anything is replaced: what runs is not given up for a task that cannot come.
  if (refuse || find_refusal(transaction, schedule.settings.task.queue, 1)) {
    slot.result = SlotResult::refused;
    return slot;
  }
  std::vector<TaskId> stopping;
  for (const TaskId id : before) {
    StoredTask task = must_load(transaction.db(), id);
    cancel_task(transaction, task, std::nullopt);
    if (!is_end(task.row.state)) stopping.push_back(id);
  }
  slot.task = insert_task(
      transaction, schedule, stopping,
      {.type = "submitted",
       .detail = "schedule=" + schedule.settings.name + " slot_ms=" + std::to_string(at.ms)});
  return slot;
}

bool was_dealt_with(Connection& db, std::int64_t schedule, WallTime at) {
  Query row = db.query("SELECT 1 FROM schedule_slots WHERE schedule_id = ?1 AND slot_at_ms = ?2");
  return row.bind(schedule, at).step();
}

// The daemon pauses it, by nobody's wish.
void stop_schedule(Transaction& transaction, const Firing& firing) {
  const int changed = transaction.db().run(
      "UPDATE schedules SET paused_at_ms = ?3, paused_by = 0, paused_why = ?4, next_at_ms = NULL"
      " WHERE id = ?1 AND done_until_ms = ?2 AND paused_at_ms IS NULL",
      firing.schedule, firing.was_done_until, transaction.now(), firing.stop);
  if (changed == 0) return;
  transaction.add_event(
      std::nullopt, std::nullopt,
      {.type = "schedule_paused",
       .detail = "schedule_id=" + std::to_string(firing.schedule) + " why=" + firing.stop});
}

std::vector<Slot> fire_slots(Transaction& transaction, const Firing& firing) {
  Connection& db = transaction.db();
  if (!firing.stop.empty()) {
    stop_schedule(transaction, firing);
    return {};
  }
  const int changed = db.run(
      "UPDATE schedules SET done_until_ms = ?3, next_at_ms = ?4"
      " WHERE id = ?1 AND done_until_ms = ?2 AND paused_at_ms IS NULL",
      firing.schedule, firing.was_done_until, firing.done_until, firing.next_at);
  std::vector<Slot> slots;
  if (changed == 0) return slots;
  Query row = db.query("SELECT " SCHEDULE_COLUMNS " FROM schedules WHERE id = ?1");
  if (!row.bind(firing.schedule).step()) throw std::logic_error("a schedule fires without a row");
  const Schedule schedule = read_schedule(row);
  for (const WallTime at : firing.slots) {
    if (was_dealt_with(db, schedule.id, at)) continue;
    const Slot& slot = slots.emplace_back(deal_with(transaction, schedule, at, firing.refuse));
    db.run(
        "INSERT INTO schedule_slots (schedule_id, slot_at_ms, at_ms, result, task_id)"
        " VALUES (?1, ?2, ?3, ?4, ?5)",
        schedule.id, slot.at, slot.dealt_with_at, to_string(slot.result), slot.task);
  }
  return slots;
}

}  // namespace

ScheduleResult TaskStore::put_schedule(const Actor& actor, std::uint32_t owner,
                                       const ScheduleSettings& settings) {
  return impl_->write(WhenFull::refuse, [&](Transaction& transaction) -> ScheduleResult {
    if (!may_change(actor, owner)) return UnknownSchedule{};
    if (!transaction.queues().contains(settings.task.queue)) {
      return UnknownQueue{settings.task.queue};
    }
    const ScheduleId id{owner, settings.name};
    write_settings(transaction, owner, settings);
    note_schedule(transaction, "schedule_put", actor, id);
    return load_schedule(transaction.db(), id).value();
  });
}

ScheduleResult TaskStore::pause_schedule(const Actor& actor, const ScheduleId& id,
                                         const std::string& why) {
  return impl_->write(WhenFull::use_ballast, [&](Transaction& transaction) -> ScheduleResult {
    Connection& db = transaction.db();
    const auto found = find_schedule(db, actor, id);
    if (!found) return UnknownSchedule{};
    db.run(
        "UPDATE schedules SET paused_at_ms = coalesce(paused_at_ms, ?2), paused_by = ?3, "
        "paused_why = ?4,"
        " next_at_ms = NULL WHERE id = ?1",
        found->id, transaction.now(), actor.uid, why);
    note_schedule(transaction, "schedule_paused", actor, id);
    return load_schedule(db, id).value();
  });
}

ScheduleResult TaskStore::resume_schedule(const Actor& actor, const ScheduleId& id) {
  return impl_->write(WhenFull::use_ballast, [&](Transaction& transaction) -> ScheduleResult {
    Connection& db = transaction.db();
    auto found = find_schedule(db, actor, id);
    if (!found) return UnknownSchedule{};
    if (!found->paused) return *std::move(found);
    db.run(
        "UPDATE schedules SET paused_at_ms = NULL, paused_by = NULL, paused_why = '',"
        " done_until_ms = ?2, next_at_ms = ?2 WHERE id = ?1",
        found->id, transaction.now());
    note_schedule(transaction, "schedule_resumed", actor, id);
    transaction.add_wake(transaction.now());
    return load_schedule(db, id).value();
  });
}

ScheduleResult TaskStore::remove_schedule(const Actor& actor, const ScheduleId& id) {
  return impl_->write(WhenFull::use_ballast, [&](Transaction& transaction) -> ScheduleResult {
    auto found = find_schedule(transaction.db(), actor, id);
    if (!found) return UnknownSchedule{};
    transaction.db().run("DELETE FROM schedules WHERE id = ?1", found->id);
    note_schedule(transaction, "schedule_removed", actor, id);
    return *std::move(found);
  });
}

TriggerResult TaskStore::trigger_schedule(const Actor& actor, const ScheduleId& id) {
  return impl_->write(WhenFull::refuse, [&](Transaction& transaction) -> TriggerResult {
    const auto schedule = find_schedule(transaction.db(), actor, id);
    if (!schedule) return UnknownSchedule{};
    const TaskSpec& task = schedule->settings.task;
    if (const auto existing = find_unique(transaction, schedule->uid, task.flow)) {
      return Triggered{*existing, true};
    }
    if (const auto refusal = find_refusal(transaction, task.queue, 1)) {
      return std::visit([](const auto& why) { return TriggerResult(why); }, *refusal);
    }
    const Note note{.type = "submitted",
                    .actor_uid = actor.uid,
                    .detail = "schedule=" + id.name + " triggered"};
    return Triggered{insert_task(transaction, *schedule, {}, note)};
  });
}

std::vector<Schedule> TaskStore::due_schedules(WallTime now, int limit) {
  return impl_->read([&](Connection& db) {
    Query rows = db.query("SELECT " SCHEDULE_COLUMNS
                          " FROM schedules INDEXED BY schedules_next WHERE next_at_ms <= ?1 ORDER "
                          "BY next_at_ms, id LIMIT ?2");
    rows.bind(now, limit);
    std::vector<Schedule> due;
    while (rows.step()) due.push_back(read_schedule(rows));
    return due;
  });
}

std::vector<Slot> TaskStore::fire(const Firing& firing) {
  return impl_->write(WhenFull::refuse,
                      [&](Transaction& transaction) { return fire_slots(transaction, firing); });
}

std::optional<WallTime> TaskStore::next_schedule_at() {
  return impl_->read([](Connection& db) -> std::optional<WallTime> {
    Query row = db.query(
        "SELECT next_at_ms FROM schedules INDEXED BY schedules_next WHERE next_at_ms IS NOT NULL"
        " ORDER BY next_at_ms LIMIT 1");
    if (!row.step()) return std::nullopt;
    return row.time(0);
  });
}

std::vector<Schedule> TaskStore::schedules(const Actor& actor, std::optional<std::uint32_t> owner) {
  const bool all = actor.admin && !owner;
  const std::uint32_t uid = owner.value_or(actor.uid);
  if (!may_change(actor, uid)) return {};
  return impl_->read([&](Connection& db) {
    Query rows = db.query("SELECT " SCHEDULE_COLUMNS
                          " FROM schedules WHERE ?1 OR uid = ?2 ORDER BY name, uid");
    rows.bind(all, uid);
    std::vector<Schedule> schedules;
    while (rows.step()) schedules.push_back(read_schedule(rows));
    return schedules;
  });
}

std::optional<Schedule> TaskStore::schedule(const Actor& actor, const ScheduleId& id) {
  return impl_->read([&](Connection& db) { return find_schedule(db, actor, id); });
}

std::vector<Slot> TaskStore::slots(std::int64_t schedule, int limit) {
  return impl_->read([&](Connection& db) {
    Query rows = db.query(
        "SELECT slot_at_ms, at_ms, result, task_id FROM schedule_slots WHERE schedule_id = ?1"
        " ORDER BY slot_at_ms DESC LIMIT ?2");
    rows.bind(schedule, limit);
    std::vector<Slot> slots;
    while (rows.step()) {
      Slot& slot = slots.emplace_back();
      slot.at = rows.time(0);
      slot.dealt_with_at = rows.time(1);
      slot.result = rows.word(2, parse_slot_result);
      if (!rows.is_null(3)) slot.task = rows.int64(3);
    }
    return slots;
  });
}

}  // namespace taskd
