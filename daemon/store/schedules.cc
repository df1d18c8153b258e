#include <unistd.h>

#include <algorithm>

#include "daemon/base/log.h"
#include "daemon/store/store_impl.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

// The columns for read_rule(). A macro, since statements are literals.
#define SCHEDULE_COLUMNS                                                                \
  "id, name, uid, cron, zone, every_ms, catch_up, overlap, queue, priority, task_name," \
  " created_at_ms, done_until_ms, next_at_ms, paused_at_ms, paused_by, paused_reason"

// Everything except its task's spec.
Schedule read_rule(const Query& row) {
  Schedule schedule;
  schedule.id = row.int64(0);
  ScheduleSettings& settings = schedule.settings;
  settings.name = row.text(1);
  schedule.uid = row.uid(2);
  settings.cron = row.text(3);
  settings.zone = row.text(4);
  settings.every_ms = row.int64(5);
  const auto catch_up = parse_catch_up(row.view(6));
  const auto overlap = parse_overlap(row.view(7));
  if (!catch_up || !overlap) schedule.unreadable = "its catch_up or overlap is invalid";
  settings.catch_up = catch_up.value_or(settings.catch_up);
  settings.overlap = overlap.value_or(settings.overlap);
  settings.task.queue = row.text(8);
  settings.task.priority = row.integer(9);
  settings.task.name = row.text(10);
  schedule.created_at = row.time(11);
  schedule.done_until = row.time(12);
  schedule.next_at = row.optional_time(13);
  if (!row.is_null(14)) schedule.paused = Schedule::Pause{row.time(14), row.uid(15), row.text(16)};
  return schedule;
}

// With its task's spec, which only a reader parses.
Schedule read_schedule(const Query& row, Reader& db) {
  Schedule schedule = read_rule(row);
  Query spec = db.query("SELECT spec FROM schedules WHERE id = ?1");
  if (!spec.bind(schedule.id).step()) return schedule;
  const TaskSpec columns = schedule.settings.task;
  try {
    spec_from_stored(spec.view(0), schedule.settings.task);
  } catch (const std::exception& error) {  // it must not block others
    schedule.settings.task = columns;
    schedule.settings.task.shell = "# its task cannot be read";  // never runs
    schedule.unreadable = error.what();
  }
  return schedule;
}

std::optional<Schedule> load_schedule(Reader& db, const ScheduleId& id) {
  Query row = db.query("SELECT " SCHEDULE_COLUMNS " FROM schedules WHERE uid = ?1 AND name = ?2");
  if (!row.bind(id.uid, id.name).step()) return std::nullopt;
  return read_schedule(row, db);
}

std::optional<Schedule> load_schedule(Reader& db, std::int64_t id) {
  Query row = db.query("SELECT " SCHEDULE_COLUMNS " FROM schedules WHERE id = ?1");
  if (!row.bind(id).step()) return std::nullopt;
  return read_schedule(row, db);
}

// The columns of a schedule that the writer acts on, without its task.
struct FoundSchedule {
  std::int64_t id = 0;
  bool paused = false;
};

// Returns nothing also if the actor may not change it.
std::optional<FoundSchedule> find_schedule(Connection& db, const Actor& actor,
                                           const ScheduleId& id) {
  if (!actor.sees(id.uid)) return std::nullopt;
  Query row = db.query("SELECT id, paused_at_ms FROM schedules WHERE uid = ?1 AND name = ?2");
  if (!row.bind(id.uid, id.name).step()) return std::nullopt;
  return FoundSchedule{row.int64(0), !row.is_null(1)};
}

void note_schedule(Transaction& transaction, std::string_view type, const Actor& actor,
                   const ScheduleId& id) {
  transaction.add_event(std::nullopt, std::nullopt,
                        {.type = type,
                         .actor_uid = actor.uid,
                         .detail = "schedule=" + id.name + " uid=" + std::to_string(id.uid)});
}

void write_settings(Transaction& transaction, std::uint32_t owner, const ScheduleSettings& settings,
                    const PreparedSpec& task) {
  // Due at once, so that whoever knows the rule computes its first slot. A replaced schedule keeps
  // its pause and its slots.
  transaction.db().run(
      "INSERT INTO schedules (name, uid, cron, zone, every_ms, catch_up, overlap, queue, priority,"
      " task_name, spec, created_at_ms, done_until_ms, next_at_ms)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?12)"
      " ON CONFLICT (uid, name) DO UPDATE SET cron = excluded.cron, zone = excluded.zone,"
      " every_ms = excluded.every_ms, catch_up = excluded.catch_up, overlap = excluded.overlap,"
      " queue = excluded.queue, priority = excluded.priority, task_name = excluded.task_name,"
      " spec = excluded.spec, created_at_ms = excluded.created_at_ms,"
      // Always a new value, so that a firing based on earlier settings has no effect.
      " done_until_ms = max(excluded.done_until_ms, schedules.done_until_ms + 1),"
      " next_at_ms = CASE WHEN paused_at_ms IS NULL THEN excluded.next_at_ms END",
      settings.name, owner, settings.cron, settings.zone, settings.every_ms,
      to_string(settings.catch_up), to_string(settings.overlap), task.queue, task.priority,
      task.name, task.text, transaction.now());
  transaction.add_wake(transaction.now());
}

// The task waits for the tasks in `after` to end, in whatever way.
TaskId insert_task(Transaction& transaction, const Schedule& schedule, PreparedSpec spec,
                   const std::vector<TaskId>& after, const Note& note) {
  StoredTask task;
  task.uid = schedule.uid;
  task.schedule = schedule.id;
  task.created_at = transaction.now();
  for (const TaskId id : after) spec.depends_on.push_back({id, DependencyOn::any});
  submit_task(transaction, task, spec, /*hold=*/false, note);
  return task.id;
}

// Whether the schedule's task is still this one.
bool has_task(Connection& db, std::int64_t schedule, const PreparedSpec& task) {
  Query row = db.query("SELECT queue, priority, task_name, spec FROM schedules WHERE id = ?1");
  return row.bind(schedule).step() && row.view(0) == task.queue && row.int64(1) == task.priority &&
         row.view(2) == task.name && row.view(3) == task.text;
}

// This many cancels are enough for one commit.
constexpr int kReplacedAtOnce = 500;

// Active tasks that are not asked to stop yet, oldest first, except one.
std::vector<TaskId> tasks_to_cancel(Connection& db, std::int64_t schedule, TaskId but) {
  Query rows = db.query(
      "SELECT id FROM tasks INDEXED BY tasks_of_schedule WHERE schedule_id = ?1"
      " AND ended_at_ms IS NULL AND cancel_requested_at_ms IS NULL AND id <> ?2"
      " ORDER BY id LIMIT ?3");
  rows.bind(schedule, but, kReplacedAtOnce);
  std::vector<TaskId> ids;
  while (rows.step()) ids.push_back(rows.int64(0));
  return ids;
}

// After all others are cancelled: the tasks that are still running.
std::vector<TaskId> unended_tasks(Connection& db, std::int64_t schedule) {
  Query rows = db.query(
      "SELECT id FROM tasks INDEXED BY tasks_of_schedule WHERE schedule_id = ?1"
      " AND ended_at_ms IS NULL ORDER BY id");
  rows.bind(schedule);
  std::vector<TaskId> ids;
  while (rows.step()) ids.push_back(rows.int64(0));
  return ids;
}

bool is_unended_task(Connection& db, TaskId task, std::int64_t schedule) {
  Query row = db.query(
      "SELECT 1 FROM tasks WHERE id = ?1 AND schedule_id = ?2 AND ended_at_ms IS NULL");
  return row.bind(task, schedule).step();
}

bool has_unended_task(Connection& db, std::int64_t schedule) {
  Query row = db.query(
      "SELECT 1 FROM tasks INDEXED BY tasks_of_schedule WHERE schedule_id = ?1"
      " AND ended_at_ms IS NULL LIMIT 1");
  return row.bind(schedule).step();
}

void cancel(Transaction& transaction, TaskId id) {
  StoredTask task = must_load(transaction.db(), id);
  cancel_task(transaction, task, std::nullopt);
}

// Cancels the schedule's tasks, `unique` last: it tells a later transaction that the slot may fire.
// Returns false if there are more than one commit should handle.
bool replace_tasks(Transaction& transaction, std::int64_t schedule, std::optional<TaskId> unique) {
  const std::vector<TaskId> ids = tasks_to_cancel(transaction.db(), schedule, unique.value_or(0));
  for (const TaskId id : ids) {
    cancel(transaction, id);
    if (transaction.is_spent()) return false;
  }
  if (std::ssize(ids) == kReplacedAtOnce) return false;
  if (unique) cancel(transaction, *unique);
  return true;
}

// Returns nothing if some of the replaced tasks are cancelled and the rest needs another
// transaction.
std::optional<Slot> deal_with(Transaction& transaction, const Schedule& schedule,
                              const PreparedSpec& spec, WallTime at, bool refuse) {
  Slot slot{at, transaction.now(), SlotResult::fired, std::nullopt};
  if (schedule.settings.overlap == Overlap::skip &&
      has_unended_task(transaction.db(), schedule.id)) {
    slot.result = SlotResult::overlap;
    return slot;
  }
  const bool replaces = schedule.settings.overlap == Overlap::replace;
  const auto existing = find_unique(transaction, schedule.uid, spec.unique);
  if (existing && !(replaces && is_unended_task(transaction.db(), *existing, schedule.id))) {
    slot.result = SlotResult::overlap;
    return slot;
  }
  // Checked before anything is replaced: running tasks are not cancelled for a task that cannot be
  // submitted.
  if (refuse || find_refusal(transaction, spec.queue, 1)) {
    slot.result = SlotResult::refused;
    return slot;
  }
  if (replaces && !replace_tasks(transaction, schedule.id, existing)) return std::nullopt;
  const std::vector<TaskId> stopping =
      replaces ? unended_tasks(transaction.db(), schedule.id) : std::vector<TaskId>();
  slot.task = insert_task(
      transaction, schedule, spec, stopping,
      {.type = "submitted",
       .detail = "schedule=" + schedule.settings.name + " slot_ms=" + std::to_string(at.ms)});
  return slot;
}

bool was_dealt_with(Connection& db, std::int64_t schedule, WallTime at) {
  Query row = db.query("SELECT 1 FROM schedule_slots WHERE schedule_id = ?1 AND slot_at_ms = ?2");
  return row.bind(schedule, at).step();
}

// Paused by the daemon, not by a user.
void stop_schedule(Transaction& transaction, const Firing& firing) {
  const int changed = transaction.db().run(
      "UPDATE schedules SET paused_at_ms = ?3, paused_by = 0, paused_reason = ?4, next_at_ms = NULL"
      " WHERE id = ?1 AND done_until_ms = ?2 AND paused_at_ms IS NULL",
      firing.schedule, firing.was_done_until, transaction.now(), firing.stop);
  if (changed == 0) return;
  transaction.add_event(
      std::nullopt, std::nullopt,
      {.type = "schedule_paused",
       .detail = "schedule_id=" + std::to_string(firing.schedule) + " why=" + firing.stop});
}

bool is_as_read(Connection& db, const Firing& firing) {
  Query row = db.query(
      "SELECT 1 FROM schedules WHERE id = ?1 AND done_until_ms = ?2 AND paused_at_ms IS NULL");
  return row.bind(firing.schedule, firing.was_done_until).step();
}

void write_slot(Connection& db, std::int64_t schedule, const Slot& slot) {
  db.run(
      "INSERT INTO schedule_slots (schedule_id, slot_at_ms, dealt_with_at_ms, result, task_id)"
      " VALUES (?1, ?2, ?3, ?4, ?5)",
      schedule, slot.at, slot.dealt_with_at, to_string(slot.result), slot.task);
}

struct Fired {
  std::vector<Slot> slots;     // slots that were new
  std::size_t dealt_with = 0;  // number of the firing's slots handled so far
  bool over = false;           // somebody changed the schedule, or nothing is left
};

// Fires as many slots as one transaction should.
Fired fire_slots(Transaction& transaction, const Firing& firing, const Schedule& schedule,
                 const PreparedSpec& spec) {
  Connection& db = transaction.db();
  Fired fired;
  fired.over = !is_as_read(db, firing);
  if (fired.over) return fired;
  for (const WallTime at : firing.slots) {
    if (!was_dealt_with(db, schedule.id, at)) {
      const auto slot = deal_with(transaction, schedule, spec, at, firing.refuse);
      if (!slot) break;
      write_slot(db, schedule.id, *slot);
      fired.slots.push_back(*slot);
    }
    ++fired.dealt_with;
    if (transaction.is_spent()) break;
  }
  fired.over = fired.dealt_with == firing.slots.size();
  const auto next = fired.over ? firing.next_at : std::optional(firing.slots[fired.dealt_with]);
  const WallTime latest =
      fired.dealt_with == 0 ? firing.was_done_until : firing.slots[fired.dealt_with - 1];
  db.run("UPDATE schedules SET done_until_ms = ?2, next_at_ms = ?3 WHERE id = ?1", firing.schedule,
         fired.over ? firing.done_until : latest, next);
  return fired;
}

}  // namespace

// The schedule after a change; it may have been removed in between.
ScheduleResult StoreSchedules::changed_schedule(const std::optional<ScheduleResult>& refused,
                                           const ScheduleId& id) {
  if (refused) return *refused;
  auto schedule = impl_->read([&](Reader& db) { return load_schedule(db, id); });
  if (!schedule) return UnknownSchedule{};
  return *std::move(schedule);
}

ScheduleResult StoreSchedules::put_schedule(const Actor& actor, std::uint32_t owner,
                                       const ScheduleSettings& settings) {
  const PreparedSpec task(settings.task);
  const ScheduleId id{owner, settings.name};
  const auto put = [&](Transaction& transaction) -> std::optional<ScheduleResult> {
    if (!actor.sees(owner)) return UnknownSchedule{};
    if (!transaction.queues().contains(task.queue)) return UnknownQueue{task.queue};
    write_settings(transaction, owner, settings, task);
    note_schedule(transaction, "schedule_put", actor, id);
    return std::nullopt;
  };
  return changed_schedule(impl_->write(WhenFull::refuse, actor, put), id);
}

ScheduleResult StoreSchedules::pause_schedule(const Actor& actor, const ScheduleId& id,
                                         const std::string& why) {
  const auto pause = [&](Transaction& transaction) -> std::optional<ScheduleResult> {
    const auto found = find_schedule(transaction.db(), actor, id);
    if (!found) return UnknownSchedule{};
    transaction.db().run(
        "UPDATE schedules SET paused_at_ms = coalesce(paused_at_ms, ?2), paused_by = ?3, "
        "paused_reason = ?4,"
        " next_at_ms = NULL WHERE id = ?1",
        found->id, transaction.now(), actor.uid, why);
    note_schedule(transaction, "schedule_paused", actor, id);
    return std::nullopt;
  };
  return changed_schedule(impl_->write(WhenFull::use_ballast, actor, pause), id);
}

ScheduleResult StoreSchedules::resume_schedule(const Actor& actor, const ScheduleId& id) {
  const auto resume = [&](Transaction& transaction) -> std::optional<ScheduleResult> {
    const auto found = find_schedule(transaction.db(), actor, id);
    if (!found) return UnknownSchedule{};
    if (!found->paused) return std::nullopt;
    transaction.db().run(
        "UPDATE schedules SET paused_at_ms = NULL, paused_by = NULL, paused_reason = '',"
        " done_until_ms = ?2, next_at_ms = ?2 WHERE id = ?1",
        found->id, transaction.now());
    note_schedule(transaction, "schedule_resumed", actor, id);
    transaction.add_wake(transaction.now());
    return std::nullopt;
  };
  return changed_schedule(impl_->write(WhenFull::use_ballast, actor, resume), id);
}

ScheduleResult StoreSchedules::remove_schedule(const Actor& actor, const ScheduleId& id) {
  return impl_->write(WhenFull::use_ballast, actor,
                      [&](Transaction& transaction) -> ScheduleResult {
                        const auto found = find_schedule(transaction.db(), actor, id);
                        if (!found) return UnknownSchedule{};
                        transaction.db().run("DELETE FROM schedules WHERE id = ?1", found->id);
                        note_schedule(transaction, "schedule_removed", actor, id);
                        Schedule removed;
                        removed.id = found->id;
                        removed.uid = id.uid;
                        removed.settings.name = id.name;
                        return removed;
                      });
}

TriggerResult StoreSchedules::trigger_schedule(const Actor& actor, const ScheduleId& id) {
  for (;;) {
    const auto found = schedule(actor, id);
    if (!found) return UnknownSchedule{};
    if (!found->unreadable.empty()) throw std::runtime_error(found->unreadable);
    const auto triggered = try_trigger(actor, *found);
    if (triggered) return *triggered;  // otherwise its task was changed meanwhile
  }
}

std::optional<TriggerResult> StoreSchedules::try_trigger(const Actor& actor,
                                                         const Schedule& schedule) {
  using Result = std::optional<TriggerResult>;
  const PreparedSpec task(schedule.settings.task);
  return impl_->write(WhenFull::refuse, actor, [&](Transaction& transaction) -> Result {
    if (!has_task(transaction.db(), schedule.id, task)) return std::nullopt;
    if (const auto existing = find_unique(transaction, schedule.uid, task.unique)) {
      return Triggered{*existing, true};
    }
    if (const auto refusal = find_refusal(transaction, task.queue, 1)) {
      return std::visit([](const auto& why) { return TriggerResult(why); }, *refusal);
    }
    const Note note{.type = "submitted",
                    .actor_uid = actor.uid,
                    .detail = "schedule=" + schedule.settings.name + " triggered"};
    return Triggered{insert_task(transaction, schedule, task, {}, note)};
  });
}

std::vector<Schedule> StoreSchedules::due_schedules(WallTime now, int limit) {
  std::vector<Schedule> due = impl_->read([&](Reader& db) {
    Query rows = db.query("SELECT " SCHEDULE_COLUMNS
                          " FROM schedules INDEXED BY schedules_next WHERE next_at_ms <= ?1 ORDER "
                          "BY next_at_ms, id LIMIT ?2");
    rows.bind(now, limit);
    std::vector<Schedule> found;
    while (rows.step()) found.push_back(read_schedule(rows, db));
    return found;
  });
  for (const Schedule& schedule : due) {
    if (!schedule.unreadable.empty()) pause_unreadable(schedule);
  }
  std::erase_if(due, [](const Schedule& schedule) { return !schedule.unreadable.empty(); });
  return due;
}

void StoreSchedules::pause_unreadable(const Schedule& schedule) {
  const std::string why = "its row in the database cannot be read: " + schedule.unreadable;
  log::error("a schedule is paused", {{"schedule", schedule.settings.name}, {"error", why}});
  impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
    transaction.db().run(
        "UPDATE schedules SET paused_at_ms = ?2, paused_by = ?3, paused_reason = ?4,"
        " next_at_ms = NULL WHERE id = ?1",
        schedule.id, transaction.now(), ::geteuid(), why);
  });
}

std::vector<Slot> StoreSchedules::fire(const Firing& firing) {
  if (!firing.stop.empty()) {
    impl_->writer.run(WhenFull::refuse,
                      [&](Transaction& transaction) { stop_schedule(transaction, firing); });
    return {};
  }
  // Changing the settings also changes done_until, so these settings are the ones that the firing
  // is based on.
  const auto schedule = impl_->read([&](Reader& db) { return load_schedule(db, firing.schedule); });
  if (!schedule || schedule->done_until != firing.was_done_until) return {};
  if (!schedule->unreadable.empty()) return {};
  const PreparedSpec spec(schedule->settings.task);
  std::vector<Slot> slots;
  for (Firing rest = firing;;) {
    const Fired some = impl_->write(WhenFull::refuse, [&](Transaction& transaction) {
      return fire_slots(transaction, rest, *schedule, spec);
    });
    slots.insert(slots.end(), some.slots.begin(), some.slots.end());
    if (some.over) return slots;
    if (some.dealt_with == 0) continue;
    rest.was_done_until = rest.slots[some.dealt_with - 1];
    rest.slots.erase(rest.slots.begin(),
                     rest.slots.begin() + static_cast<std::ptrdiff_t>(some.dealt_with));
  }
}

std::optional<WallTime> StoreSchedules::next_schedule_at() {
  return impl_->read([](Connection& db) -> std::optional<WallTime> {
    Query row = db.query(
        "SELECT next_at_ms FROM schedules INDEXED BY schedules_next WHERE next_at_ms IS NOT NULL"
        " ORDER BY next_at_ms LIMIT 1");
    if (!row.step()) return std::nullopt;
    return row.time(0);
  });
}

std::vector<Schedule> StoreSchedules::schedules(const Actor& actor,
                                                std::optional<std::uint32_t> owner,
                                                std::int64_t after, int limit) {
  const bool all = actor.admin && !owner;
  const std::uint32_t uid = owner.value_or(actor.uid);
  if (!actor.sees(uid)) return {};
  return impl_->read([&](Reader& db) {
    Query rows = all ? db.query("SELECT " SCHEDULE_COLUMNS
                                " FROM schedules WHERE id > ?2 AND ?1 IS NOT NULL"
                                " ORDER BY id LIMIT ?3")
                     : db.query("SELECT " SCHEDULE_COLUMNS
                                " FROM schedules INDEXED BY schedules_of_user"
                                " WHERE uid = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
    rows.bind(uid, after, limit);
    std::vector<Schedule> schedules;
    while (rows.step()) schedules.push_back(read_schedule(rows, db));
    return schedules;
  });
}

std::optional<Schedule> StoreSchedules::schedule(const Actor& actor, const ScheduleId& id) {
  if (!actor.sees(id.uid)) return std::nullopt;
  return impl_->read([&](Reader& db) { return load_schedule(db, id); });
}

std::vector<std::uint32_t> StoreSchedules::owners_of_schedules(const std::string& name) {
  return impl_->read([&](Connection& db) {
    Query rows = db.query("SELECT uid FROM schedules WHERE name = ?1 ORDER BY uid LIMIT 10");
    rows.bind(name);
    std::vector<std::uint32_t> owners;
    while (rows.step()) owners.push_back(rows.uid(0));
    return owners;
  });
}

std::vector<Slot> StoreSchedules::slots(std::int64_t schedule, int limit) {
  return impl_->read([&](Connection& db) {
    Query rows = db.query(
        "SELECT slot_at_ms, dealt_with_at_ms, result, task_id FROM schedule_slots WHERE "
        "schedule_id = ?1"
        " ORDER BY slot_at_ms DESC LIMIT ?2");
    rows.bind(schedule, limit);
    std::vector<Slot> slots;
    while (rows.step()) {
      Slot& slot = slots.emplace_back();
      slot.at = rows.time(0);
      slot.dealt_with_at = rows.time(1);
      slot.result = rows.word(2, parse_slot_result, SlotResult::refused);
      if (!rows.is_null(3)) slot.task = rows.int64(3);
    }
    return slots;
  });
}

}  // namespace taskd
