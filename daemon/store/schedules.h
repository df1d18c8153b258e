// Schedules and the history of their slots. A part of TaskStore: see there for threads, durability
// and errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/part.h"
#include "daemon/store/requests.h"

namespace taskd {

class StoreSchedules : protected StorePart {
 public:
  // Creates the owner's schedule or replaces its settings; an `every` counts from now. Only an
  // admin may change another user's. Its slots begin after now.
  ScheduleResult put_schedule(const Actor& actor, std::uint32_t owner,
                              const ScheduleSettings& settings);
  // Slots during a pause are not missed: after resume the schedule starts afresh.
  ScheduleResult pause_schedule(const Actor& actor, const ScheduleId& id, const std::string& why);
  ScheduleResult resume_schedule(const Actor& actor, const ScheduleId& id);
  // Keeps its tasks. Returns the removed schedule, by name.
  ScheduleResult remove_schedule(const Actor& actor, const ScheduleId& id);
  // Submits its task now, regardless of slots, pause and overlap; but not while another task has
  // its unique key.
  TriggerResult trigger_schedule(const Actor& actor, const ScheduleId& id);
  // Schedules with next_at at or before `now`, at most `limit`.
  std::vector<Schedule> due_schedules(WallTime now, int limit);
  // Handles the slots, in as many commits as needed. Each submits the schedule's task, unless the
  // slot was handled before, an earlier task of the schedule has not ended (see Overlap), or the
  // queue refuses it. Returns the outcome of the slots that were new.
  std::vector<Slot> fire(const Firing& firing);
  // The earliest next_at of all schedules.
  std::optional<WallTime> next_schedule_at();
  // Up to `limit` schedules after this id, in order of creation: the actor's own, for an admin
  // everybody's, or those of `owner`.
  std::vector<Schedule> schedules(const Actor& actor, std::optional<std::uint32_t> owner = {},
                                  std::int64_t after = 0, int limit = 1000);
  std::optional<Schedule> schedule(const Actor& actor, const ScheduleId& id);
  std::vector<std::uint32_t> owners_of_schedules(const std::string& name);
  // Up to `limit` handled slots, the latest first.
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
