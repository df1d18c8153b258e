#include "ctl/view/schedule_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"
#include "ctl/base/users.h"
#include "ctl/options/when.h"
#include "ctl/view/handler_view.h"
#include "ctl/view/lines.h"
#include "ctl/view/outcome.h"
#include "ctl/view/table.h"
#include "daemon/base/text.h"
#include "wire/wire.h"

namespace taskd::ctl {
namespace {

[[noreturn]] void unreadable(const std::exception& e) {
  throw Failure(kExitBadAnswer, std::string("this taskctl cannot read the daemon's schedule: ") +
                                    escape_for_humans(e.what()));
}

std::string rule_text(const ScheduleSettings& settings) {
  if (settings.every_ms > 0) return "every " + format_duration_ms(settings.every_ms);
  return escape_for_humans(settings.cron);
}

// "fired task 12", "skipped: the previous task had not ended".
std::string result_text(const Slot& slot) {
  switch (slot.result) {
    case SlotResult::fired:
      return slot.task ? "fired task " + std::to_string(*slot.task) : "fired";
    case SlotResult::overlap:
      return "skipped: the previous task had not ended";
    case SlotResult::refused:
      return "skipped: the queue refused the task";
  }
  return "";
}

std::string result_cell(const std::vector<Slot>& slots) {
  if (slots.empty()) return "-";
  const Slot& slot = slots.front();
  if (slot.result == SlotResult::fired && slot.task) return "fired " + std::to_string(*slot.task);
  return std::string(to_string(slot.result));
}

std::string pause_cell(const Schedule& schedule) {
  if (!schedule.paused) return "";
  const std::string& reason = schedule.paused->reason;
  return reason.empty() ? "paused" : "paused: " + escape_for_humans(reason);
}

std::string missed_text(CatchUp catch_up) {
  switch (catch_up) {
    case CatchUp::one:
      return "one: the latest of them fires";
    case CatchUp::all:
      return "all: each of them fires";
    case CatchUp::none:
      return "none: skipped";
  }
  return "";
}

std::string overlap_text(Overlap overlap) {
  switch (overlap) {
    case Overlap::skip:
      return "skip: no second task while one has not ended";
    case Overlap::queue:
      return "queue: its tasks wait in line";
    case Overlap::replace:
      return "replace: a new task cancels those that have not ended";
  }
  return "";
}

void add_pause(Lines& lines, const Painter& paint, const Schedule& schedule, WallTime now) {
  if (!schedule.paused) return;
  std::string text = paint(Color::yellow, "paused") + " for " +
                     format_span(now - schedule.paused->at) + " by " +
                     describe_user(schedule.paused->uid);
  const std::string& reason = schedule.paused->reason;
  if (!reason.empty()) text += ": " + escape_for_humans(reason);
  lines.add("state", text);
}

}  // namespace

ShownSchedule read_schedule(const nlohmann::json& json) {
  try {
    ShownSchedule shown{schedule_from_json(json), {}};
    if (json.contains("slots")) {
      for (const nlohmann::json& slot : json.at("slots"))
        shown.slots.push_back(slot_from_json(slot));
    } else if (json.contains("last_slot") && !json.at("last_slot").is_null()) {
      shown.slots.push_back(slot_from_json(json.at("last_slot")));
    }
    return shown;
  } catch (const std::exception& e) {
    unreadable(e);
  }
}

std::string when_text(WallTime time, WallTime now) {
  return format_local(time) + " (" + format_relative(time, now) + ")";
}

std::string next_text(const Schedule& schedule, WallTime now) {
  if (schedule.next_at) return "fires next at " + when_text(*schedule.next_at, now);
  return schedule.paused ? "is paused" : "never fires again";
}

void print_schedules(Context& context, const Painter& paint,
                     const std::vector<ShownSchedule>& schedules) {
  const bool one_user =
      std::all_of(schedules.begin(), schedules.end(), [&](const ShownSchedule& shown) {
        return shown.schedule.uid == schedules.front().schedule.uid;
      });
  std::vector<Column> columns = {{"SCHEDULE", false, true}};
  if (!one_user) columns.push_back({"USER", false, true, 4});
  columns.insert(columns.end(), {{"WHEN", false, false},
                                 {"ZONE", false, true, 3},
                                 {"NEXT", false, true, 1},
                                 {"LAST", false, false, 2},
                                 {"STATE", false, true}});
  Table table(std::move(columns));
  const WallTime now = context.clock.wall_now();
  for (const auto& [schedule, slots] : schedules) {
    const ScheduleSettings& settings = schedule.settings;
    const bool fired = slots.empty() || slots.front().result == SlotResult::fired;
    std::vector<Cell> row = {{escape_for_humans(settings.name)}};
    if (!one_user) row.push_back({short_user(schedule.uid)});
    row.push_back({rule_text(settings)});
    row.push_back({settings.zone.empty() ? "-" : escape_for_humans(settings.zone)});
    row.push_back({schedule.next_at ? when_text(*schedule.next_at, now) : "-"});
    row.push_back({result_cell(slots), fired ? Color::none : Color::yellow});
    row.push_back({pause_cell(schedule), Color::yellow});
    table.add(std::move(row));
  }
  const int width = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  context.out.write(table.render(static_cast<std::size_t>(width), paint));
}

void print_schedule(Context& context, const Painter& paint, const ShownSchedule& shown) {
  const auto& [schedule, slots] = shown;
  const ScheduleSettings& settings = schedule.settings;
  const WallTime now = context.clock.wall_now();
  Lines lines(context.out, paint);
  context.out.line(paint(Color::bold, "Schedule " + escape_for_humans(settings.name)));
  add_pause(lines, paint, schedule, now);
  lines.add("when", settings.zone.empty()
                        ? rule_text(settings)
                        : rule_text(settings) + ", in " + escape_for_humans(settings.zone));
  lines.add("next", schedule.next_at ? when_text(*schedule.next_at, now) : "none");
  if (!settings.task.handler.empty())
    add_handler(lines, settings.task);
  else
    lines.add(settings.task.argv.empty() ? "shell" : "command", describe_command(settings.task));
  lines.add("queue", escape_for_humans(settings.task.queue) + ", priority " +
                         std::to_string(settings.task.priority));
  lines.add("missed", missed_text(settings.catch_up));
  lines.add("overlap", overlap_text(settings.overlap));
  const std::uint32_t user = settings.task.user_uid.value_or(schedule.uid);
  lines.add("user", describe_user(user));
  if (user != schedule.uid) lines.add("owner", describe_user(schedule.uid));
  lines.add("set", when_text(schedule.created_at, now));
  if (slots.empty()) lines.add("slots", "none yet");
  for (const Slot& slot : slots)
    lines.add(&slot == &slots.front() ? "slots" : "",
              format_local(slot.at) + "  " + result_text(slot));
}

void print_preview(Context& context, const Painter& paint, const nlohmann::json& answer) {
  Table table({{"LOCAL", false, false}, {"UTC", false, false}, {"NOTE", false, true}});
  try {
    for (const nlohmann::json& slot : answer.at("slots"))
      table.add({{escape_for_humans(slot.at("local").get<std::string>())},
                 {escape_for_humans(slot.at("at").get<std::string>())},
                 {escape_for_humans(slot.at("note").get<std::string>()), Color::yellow}});
  } catch (const nlohmann::json::exception& e) {
    unreadable(e);
  }
  const int width = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  context.out.write(table.render(static_cast<std::size_t>(width), paint));
}

}  // namespace taskd::ctl
