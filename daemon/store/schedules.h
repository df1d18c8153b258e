// Schedules, and what became of their slots.
// A part of TaskStore: see there for threads, durability and errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/part.h"
#include "daemon/store/requests.h"

namespace taskd {

class StoreSchedules : protected StorePart {
 public:
  // Makes the owner's schedule, or gives it these settings; an `every` counts from now. Only an
  // admin touches another's. Its slots begin after now.
  ScheduleResult put_schedule(const Actor& actor, std::uint32_t owner,
                              const ScheduleSettings& settings);
  // What would have fired while it was paused is not missed: it begins anew with resume.
  ScheduleResult pause_schedule(const Actor& actor, const ScheduleId& id, const std::string& why);
  ScheduleResult resume_schedule(const Actor& actor, const ScheduleId& id);
  // Its tasks stay. Of what is removed the answer has the name.
  ScheduleResult remove_schedule(const Actor& actor, const ScheduleId& id);
  // Submits its task now, whatever its slots, its pause and its overlap say; not beside the one
  // that has its unique key.
  TriggerResult trigger_schedule(const Actor& actor, const ScheduleId& id);
  // Those whose next_at is not after `now`, at most `limit`.
  std::vector<Schedule> due_schedules(WallTime now, int limit);
  // Deals with the slots, in as many commits as it takes: each submits the schedule's task, unless it
  // was dealt with ever before, a task of the schedule has not ended (by its Overlap), or the queue
  // takes nothing. What became of those that were new.
  std::vector<Slot> fire(const Firing& firing);
  // The earliest next_at of all.
  std::optional<WallTime> next_schedule_at();
  // Up to `limit` of the actor's, of an admin everybody's or those of `owner`; in the order in which
  // they were made, after this id.
  std::vector<Schedule> schedules(const Actor& actor, std::optional<std::uint32_t> owner = {},
                                  std::int64_t after = 0, int limit = 1000);
  std::optional<Schedule> schedule(const Actor& actor, const ScheduleId& id);
  std::vector<std::uint32_t> owners_of_schedules(const std::string& name);
  // Up to `limit` slots that were dealt with, the latest first.
  std::vector<Slot> slots(std::int64_t schedule, int limit);

 protected:
  using StorePart::StorePart;

 private:
  void pause_unreadable(const Schedule& schedule);
  ScheduleResult changed_schedule(const std::optional<ScheduleResult>& refused,
                                  const ScheduleId& id);
  std::optional<TriggerResult> try_trigger(const Actor& actor, const Schedule& schedule);
};

}  // namespace taskd
