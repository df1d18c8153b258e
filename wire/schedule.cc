#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/task_option.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

// The longest meaningful cron line has some hundred bytes; the parser has its own limit.
constexpr std::size_t kMaxTextBytes = 4096;

WallTime read_time(const json& value) {
  const auto time = parse_rfc3339(value.get<std::string>());
  if (!time) throw std::runtime_error("a time stamp of the schedule cannot be read");
  return *time;
}

// A schedule's task, with values of env and the text of stdin masked as in a task.
json task_of_schedule(const TaskSpec& spec) {
  json task = to_json(NewTask{.spec = spec, .delay_ms = {}, .run_at = {}, .array = {}});
  if (task.contains("env")) {
    for (json& value : task["env"]) value = "***";
  }
  if (!spec.stdin_text.empty()) task["stdin"]["text"] = "***";
  return task;
}

void read_text(FieldReader& reader, const json& value, const std::string& at, std::string& out) {
  const auto* text = reader.string(value, at);
  if (text == nullptr) return;
  if (text->empty()) return reader.complain(at, "must not be empty");
  if (reader.plain(*text, at, kMaxTextBytes)) out = *text;
}

// May contain a crontab's blanks; parse_new_cron() checks the rest.
void read_cron(FieldReader& reader, const json& value, const std::string& at,
               ScheduleSettings& schedule) {
  const auto* text = reader.string(value, at);
  if (text == nullptr) return;
  if (text->find_first_not_of(" \t\r\n") == std::string::npos)
    return reader.complain(at, "must not be empty");
  std::string plain = *text;
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return c == '\t' || c == '\r' || c == '\n'; }, ' ');
  if (reader.plain(plain, at, kMaxTextBytes)) schedule.cron = std::move(plain);
}

void read_task(FieldReader& reader, const json& value, const std::string& at,
               ScheduleSettings& schedule) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object");
  for (const TaskOption& option : task_options()) {
    if (!option.in_schedule && value.contains(option.field))
      reader.complain(at + pointer_step(option.field), "the schedule says when; leave it out");
  }
  auto task = new_task_from_json(value, at);
  if (const auto* errors = std::get_if<FieldErrors>(&task)) {
    for (const FieldError& error : *errors) reader.complain(error.pointer, error.detail);
  } else {
    schedule.task = std::get<NewTask>(std::move(task)).spec;
  }
}

constexpr JsonField<ScheduleSettings> kScheduleFields[] = {
    {"cron", read_cron},
    {"zone", [](FieldReader& reader, const json& value, const std::string& at,
                ScheduleSettings& schedule) { read_text(reader, value, at, schedule.zone); }},
    {"every_ms",
     [](FieldReader& reader, const json& value, const std::string& at, ScheduleSettings& schedule) {
       reader.integer(value, at, kMinEveryMs, kMaxDurationMs, schedule.every_ms);
     }},
    {"catch_up",
     [](FieldReader& reader, const json& value, const std::string& at, ScheduleSettings& schedule) {
       reader.word(value, at, parse_catch_up, R"("one", "all" or "none")", schedule.catch_up);
     }},
    {"overlap",
     [](FieldReader& reader, const json& value, const std::string& at, ScheduleSettings& schedule) {
       reader.word(value, at, parse_overlap, R"("skip", "queue" or "replace")",
                 schedule.overlap);
     }},
    {"task", read_task},
};

}  // namespace

json slot_to_json(const Slot& slot) {
  return {{"at", format_rfc3339(slot.at)},
          {"result", to_string(slot.result)},
          {"task_id", slot.task ? json(*slot.task) : json(nullptr)}};
}

json schedule_to_json(const Schedule& schedule) {
  const ScheduleSettings& settings = schedule.settings;
  const bool has_cron = settings.every_ms == 0;
  json out = {{"name", settings.name},
              {"user", schedule.uid},
              {"cron", has_cron ? json(settings.cron) : json(nullptr)},
              {"zone", has_cron ? json(settings.zone) : json(nullptr)},
              {"every_ms", has_cron ? json(nullptr) : json(settings.every_ms)},
              {"catch_up", to_string(settings.catch_up)},
              {"overlap", to_string(settings.overlap)},
              {"task", task_of_schedule(settings.task)},
              {"created_at", format_rfc3339(schedule.created_at)},
              {"next_at", time_or_null(schedule.next_at)},
              {"paused", nullptr}};
  if (schedule.paused) {
    out["paused"] = {{"at", format_rfc3339(schedule.paused->at)},
                     {"user", schedule.paused->uid},
                     {"reason", schedule.paused->reason}};
  }
  return out;
}

Slot slot_from_json(const json& object) {
  try {
    Slot slot;
    slot.at = read_time(object.at("at"));
    const auto result = parse_slot_result(object.at("result").get<std::string>());
    if (!result) throw std::runtime_error("a slot's result is unknown to this version");
    slot.result = *result;
    if (const json& task = object.at("task_id"); !task.is_null()) slot.task = task.get<TaskId>();
    return slot;
  } catch (const json::exception& e) {
    throw std::runtime_error(std::string("the slot cannot be read: ") + e.what());
  }
}

Schedule schedule_from_json(const json& object) {
  try {
    Schedule schedule;
    ScheduleSettings& settings = schedule.settings;
    settings.name = object.at("name").get<std::string>();
    schedule.uid = object.at("user").get<std::uint32_t>();
    if (const json& every = object.at("every_ms"); !every.is_null()) {
      settings.every_ms = every.get<std::int64_t>();
    } else {
      settings.cron = object.at("cron").get<std::string>();
      settings.zone = object.at("zone").get<std::string>();
    }
    const auto catch_up = parse_catch_up(object.at("catch_up").get<std::string>());
    const auto overlap = parse_overlap(object.at("overlap").get<std::string>());
    auto task = new_task_from_json(object.at("task"));
    if (!catch_up || !overlap || !std::holds_alternative<NewTask>(task))
      throw std::runtime_error("the schedule contains a value unknown to this version");
    settings.catch_up = *catch_up;
    settings.overlap = *overlap;
    settings.task = std::get<NewTask>(std::move(task)).spec;
    schedule.created_at = read_time(object.at("created_at"));
    if (const json& next = object.at("next_at"); !next.is_null())
      schedule.next_at = read_time(next);
    if (const json& paused = object.at("paused"); !paused.is_null()) {
      schedule.paused = {read_time(paused.at("at")), paused.at("user").get<std::uint32_t>(),
                         paused.at("reason").get<std::string>()};
    }
    return schedule;
  } catch (const json::exception& e) {
    throw std::runtime_error(std::string("the schedule cannot be read: ") + e.what());
  }
}

ScheduleBody schedule_body_from_json(const json& body, const std::string& name) {
  FieldReader reader;
  ScheduleBody out;
  out.settings.name = name;
  read_fields(reader, body, "#", kScheduleFields, out.settings);
  if (body.contains("cron") == body.contains("every_ms"))
    reader.complain("#", "exactly one of \"cron\" and \"every_ms\" is needed");
  if (body.contains("every_ms") && body.contains("zone"))
    reader.complain("#/zone", "belongs to \"cron\"; leave it out");
  // Otherwise only the first of the missed slots would run.
  if (out.settings.catch_up == CatchUp::all) {
    if (!body.contains("overlap")) out.settings.overlap = Overlap::queue;
    if (out.settings.overlap != Overlap::queue) {
      reader.complain("#/overlap", "must be \"queue\" with \"catch_up\":\"all\"");
    }
  }
  if (!body.contains("task")) reader.complain("#/task", "is needed");
  out.errors = reader.take_errors();
  return out;
}

}  // namespace taskd
