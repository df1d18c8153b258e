#include "daemon/engine/schedule_runner.h"

#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/process/user.h"
#include "daemon/schedule/slots.h"

namespace taskd {
namespace {

constexpr int kSchedulesAtOnce = 100;
constexpr int kSlotsAtOnce = 100;  // of one schedule that catches up
constexpr std::int64_t kNoZonePauseMs = 60'000;
constexpr std::int64_t kNoUsersPauseMs = 60'000;

void log_slots(const Schedule& schedule, const std::vector<Slot>& slots) {
  for (const Slot& slot : slots) {
    log::info("schedule", {{"schedule", schedule.settings.name},
                           {"slot", format_rfc3339(slot.at)},
                           {"result", to_string(slot.result)},
                           {"task", slot.task.value_or(0)}});
  }
}

// Why it must not fire any more: a uid it means is another user's by now. One that is nobody's is
// for the attempt to tell: the user database may be away for a moment.
std::optional<std::string> find_stranger(const TaskStore& store, const Schedule& schedule) {
  std::vector<KnownUser> users;
  if (const auto owner = store.known_user(schedule.uid)) users.push_back(*owner);
  const TaskSpec& task = schedule.settings.task;
  if (task.user_uid) users.push_back({*task.user_uid, task.user_was, false});
  for (const KnownUser& known : users) {
    const auto why = why_not_the_same(known);
    if (why && (known.former || find_entry(known.uid))) return why;
  }
  return std::nullopt;
}

}  // namespace

std::optional<WallTime> ScheduleRunner::run_once(WallTime now) {
  // At the start too, since the clock may have been put back while nobody ran.
  if (!latest_ || now < *latest_) store_.rewind_clock(now);
  latest_ = now;
  for (const Schedule& schedule : store_.due_schedules(now, kSchedulesAtOnce)) {
    look_at(schedule, now);
  }
  return store_.next_schedule_at();
}

// False: the schedule was stopped, or is to be looked at again later.
bool ScheduleRunner::check_users(const Schedule& schedule, WallTime now, Firing& firing) {
  try {
    const auto stranger = find_stranger(store_, schedule);
    if (!stranger) return true;
    log::error("a schedule is paused", {{"schedule", schedule.settings.name}, {"why", *stranger}});
    firing.stop = *stranger;
  } catch (const std::system_error& e) {
    log::error("a schedule waits: the user database cannot be read",
               {{"schedule", schedule.settings.name}, {"error", e.what()}});
    firing.done_until = schedule.done_until;
    firing.next_at = now + kNoUsersPauseMs;
  }
  store_.fire(firing);
  return false;
}

void ScheduleRunner::look_at(const Schedule& schedule, WallTime now) {
  Firing firing{schedule.id, schedule.done_until, {}, now, std::nullopt};
  const std::optional<Rule> rule = rule_of(schedule);
  if (!rule) {
    log::error("a schedule cannot fire: its time zone is not known here",
               {{"schedule", schedule.settings.name}, {"zone", schedule.settings.zone}});
    firing.done_until = schedule.done_until;  // for when tzdata is back
    firing.next_at = now + kNoZonePauseMs;
    store_.fire(firing);
    return;
  }
  if (!check_users(schedule, now, firing)) return;
  firing.refuse = handlers_.only && schedule.settings.task.handler.empty();
  firing.slots =
      due_slots(*rule, schedule.done_until, now, schedule.settings.catch_up, kSlotsAtOnce);
  if (std::ssize(firing.slots) == kSlotsAtOnce) firing.done_until = firing.slots.back();
  firing.next_at = next_slot(*rule, firing.done_until);
  log_slots(schedule, store_.fire(firing));
}

}  // namespace taskd
