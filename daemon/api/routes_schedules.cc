#include <nlohmann/json.hpp>

#include "daemon/api/routes.h"
#include "daemon/base/json_writer.h"
#include "daemon/base/text.h"
#include "daemon/schedule/slots.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr int kShownSlots = 10;
constexpr std::int64_t kMaxPreview = 1000;

[[noreturn]] void no_such_schedule(const std::string& name) {
  throw ProblemError(404, "no_such_schedule", "there is no schedule " + in_quotes(name));
}

// What the store found of a change, or why not.
template <class Found, class Result>
Found found_in(Result result, const Call& call) {
  if (const auto* unknown = std::get_if<UnknownSchedule>(&result)) no_such_schedule(unknown->name);
  if (const auto* unknown = std::get_if<UnknownQueue>(&result))
    unknown_queue(unknown->queue, {"#/task/queue"});
  if (std::holds_alternative<NotYours>(result)) {
    throw ProblemError(403, "not_allowed",
                       "the schedule " + in_quotes(call.parameter) +
                           " is another user's; only an admin and they "
                           "change it");
  }
  return std::get<Found>(std::move(result));
}

Schedule schedule_of(const ApiContext& context, const Call& call) {
  const std::string name(call.parameter);
  auto schedule = context.store.schedule(call.actor, name);
  if (!schedule) no_such_schedule(name);
  return *std::move(schedule);
}

json answer_of(const ApiContext& context, Schedule schedule, const std::vector<Slot>& slots) {
  const WallTime now = context.clock.wall_now();
  // The timekeeper may not have looked yet; the rule says the same to everybody.
  if (!schedule.paused && (!schedule.next_at || *schedule.next_at <= now)) {
    const auto rule = rule_of(schedule);
    schedule.next_at = rule ? next_slot(*rule, now) : std::nullopt;
  }
  json out = schedule_to_json(schedule);
  out["last_slot"] = slots.empty() ? json(nullptr) : slot_to_json(slots.front());
  return out;
}

json answer_of(const ApiContext& context, const Schedule& schedule) {
  return answer_of(context, schedule, context.store.slots(schedule.id, 1));
}

// That the cron line and the zone mean something.
void check_calendar(ScheduleSettings& settings, FieldErrors& errors) {
  if (settings.cron.empty()) return;
  const auto cron = parse_new_cron(settings.cron);
  if (const auto* error = std::get_if<CronError>(&cron)) {
    const std::string field = error->field.empty() ? "" : error->field + ": ";
    errors.push_back({"#/cron", field + error->detail});
  }
  settings.cron = tidy_cron(settings.cron);
  if (settings.zone.empty()) settings.zone = Zone::system_name();
  if (!Zone::load(settings.zone)) {
    errors.push_back({"#/zone", "there is no time zone " + in_quotes(settings.zone) +
                                    "; it has a name such as \"Europe/Paris\" or \"UTC\""});
  }
}

ScheduleSettings read_settings(const ApiContext& context, const Call& call) {
  const std::string name(call.parameter);
  if (!is_valid_queue_name(name)) {
    throw ProblemError(422, "invalid_request",
                       "a schedule's name is 1 to 64 letters, digits, '.', '_' or '-', and begins "
                       "with a letter or digit; not " +
                           in_quotes(name));
  }
  json sent = parse_body(call.body);
  if (const auto task = sent.find("task"); task != sent.end()) {
    complete_task(context, "#/task", *task);
  }
  ScheduleBody body = schedule_body_from_json(sent, name);
  check_calendar(body.settings, body.errors);
  check_notify(context, "#/task", body.settings.task.notify, body.errors);
  if (!body.errors.empty()) invalid_fields("invalid_request", std::move(body.errors));
  check_task(context, call.actor, "#/task", body.settings.task);
  return std::move(body.settings);
}

WallTime take_from(const ApiContext& context, const Call& call) {
  const auto text = call.query.take("from");
  if (!text) return context.clock.wall_now();
  const auto from = parse_rfc3339(*text);
  if (!from) bad_query("from", "must be an RFC 3339 time stamp such as 2026-03-01T12:00:00Z");
  return *from;
}

}  // namespace

Reply list_schedules(const ApiContext& context, const Call& call) {
  call.query.finish();
  json list = json::array();
  for (const Schedule& schedule : context.store.schedules(call.actor)) {
    list.push_back(answer_of(context, schedule));
  }
  return json_reply(200, {{"schedules", std::move(list)}, {"next_cursor", nullptr}});
}

Reply show_schedule(const ApiContext& context, const Call& call) {
  call.query.finish();
  const Schedule schedule = schedule_of(context, call);
  const std::vector<Slot> slots = context.store.slots(schedule.id, kShownSlots);
  json out = answer_of(context, schedule, slots);
  json& list = out["slots"] = json::array();
  for (const Slot& slot : slots) list.push_back(slot_to_json(slot));
  return json_reply(200, out);
}

Reply put_schedule(const ApiContext& context, const Call& call) {
  call.query.finish();
  const ScheduleSettings settings = read_settings(context, call);
  const bool is_new = !context.store.schedule(call.actor, settings.name);
  const auto schedule = found_in<Schedule>(context.store.put_schedule(call.actor, settings), call);
  Reply reply = json_reply(is_new ? 201 : 200, answer_of(context, schedule));
  if (is_new) reply.headers.emplace_back("Location", "/v1/schedules/" + settings.name);
  return reply;
}

Reply remove_schedule(const ApiContext& context, const Call& call) {
  call.query.finish();
  const std::string name(call.parameter);
  found_in<Schedule>(context.store.remove_schedule(call.actor, name), call);
  return json_reply(200, {{"name", name}});
}

Reply pause_schedule(const ApiContext& context, const Call& call) {
  call.query.finish();
  const std::string reason = read_reason(call, /*is_pause=*/true);
  return json_reply(
      200,
      answer_of(context, found_in<Schedule>(context.store.pause_schedule(
                                                call.actor, std::string(call.parameter), reason),
                                            call)));
}

Reply resume_schedule(const ApiContext& context, const Call& call) {
  call.query.finish();
  read_reason(call, /*is_pause=*/false);
  return json_reply(
      200, answer_of(context, found_in<Schedule>(context.store.resume_schedule(
                                                     call.actor, std::string(call.parameter)),
                                                 call)));
}

Reply trigger_schedule(const ApiContext& context, const Call& call) {
  call.query.finish();
  read_reason(call, /*is_pause=*/false);
  const auto schedule = context.store.schedule(call.actor, std::string(call.parameter));
  if (schedule) check_command(context, schedule->settings.task);
  TriggerResult result = context.store.trigger_schedule(call.actor, std::string(call.parameter));
  if (const auto* full = std::get_if<QueueFull>(&result)) queue_full(*full);
  if (const auto* unknown = std::get_if<UnknownQueue>(&result)) {
    throw ProblemError(422, "unknown_queue",
                       "there is no queue " + in_quotes(unknown->queue) + " any more");
  }
  const auto triggered = found_in<Triggered>(std::move(result), call);
  const auto task = context.store.get(call.actor, triggered.task);
  if (!task) no_such_task(context, triggered.task);
  JsonWriter writer;
  writer.begin('{');
  write_task(writer, *task);
  if (triggered.existing) writer.member("existing", true);
  writer.end('}');
  Reply reply = written_reply(triggered.existing ? 200 : 201, writer.take());
  reply.headers.emplace_back("Location", "/v1/tasks/" + std::to_string(task->id));
  return reply;
}

Reply preview_schedule(const ApiContext& context, const Call& call) {
  const WallTime from = take_from(context, call);
  const auto limit = call.query.take_int("limit", 1, kMaxPreview, 10);
  call.query.finish();
  const Schedule schedule = schedule_of(context, call);
  const auto rule = rule_of(schedule);
  const auto* cron = rule ? std::get_if<CronRule>(&*rule) : nullptr;
  const auto zone = cron != nullptr ? std::optional(cron->zone) : Zone::load(Zone::system_name());
  if (!rule || !zone) {
    throw ProblemError(409, "unknown_zone",
                       "the time zone " + in_quotes(schedule.settings.zone) +
                           " of this schedule is not known here (any more)");
  }
  // A slot at `from` belongs to it, but the moment an interval is counted from is no slot.
  WallTime after = from + -1;
  if (cron == nullptr) after = std::max(after, schedule.created_at);
  json slots = json::array();
  while (std::ssize(slots) < limit) {
    const auto slot = next_slot(*rule, after);
    if (!slot) break;
    slots.push_back({{"at", format_rfc3339(*slot)},
                     {"local", zone->format(*slot)},
                     {"note", cron != nullptr ? slot_note(*cron, *slot) : ""}});
    after = *slot;
  }
  return json_reply(200, {{"slots", std::move(slots)}});
}

}  // namespace taskd
