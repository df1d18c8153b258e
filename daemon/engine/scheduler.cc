#include "daemon/engine/scheduler.h"

#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/schedule/slots.h"

namespace taskd {
namespace {

constexpr int kSchedulesAtOnce = 100;
constexpr int kSlotsAtOnce = 100;  // of one schedule that catches up
constexpr std::int64_t kNoZonePauseMs = 60'000;

void log_slots(const Schedule& schedule, const std::vector<Slot>& slots) {
  for (const Slot& slot : slots) {
    log::info("schedule", {{"schedule", schedule.settings.name},
                           {"slot", format_rfc3339(slot.at)},
                           {"result", to_string(slot.result)},
                           {"task", slot.task.value_or(0)}});
  }
}

}  // namespace

std::optional<WallTime> Scheduler::run_once(WallTime now) {
  // At the start too, since the clock may have been put back while nobody ran.
  if (!latest_ || now < *latest_) store_.rewind_clock(now);
  latest_ = now;
  for (const Schedule& schedule : store_.due_schedules(now, kSchedulesAtOnce)) {
    look_at(schedule, now);
  }
  return store_.next_schedule_at();
}

void Scheduler::look_at(const Schedule& schedule, WallTime now) {
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
  firing.slots =
      due_slots(*rule, schedule.done_until, now, schedule.settings.catch_up, kSlotsAtOnce);
  if (std::ssize(firing.slots) == kSlotsAtOnce) firing.done_until = firing.slots.back();
  firing.next_at = next_slot(*rule, firing.done_until);
  log_slots(schedule, store_.fire(firing));
}

}  // namespace taskd
