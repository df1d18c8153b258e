#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/users.h"
#include "daemon/api/request/admission.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/page.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/request/task_rules.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/json_writer.h"
#include "daemon/base/text.h"
#include "daemon/schedule/slots.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr int kShownSlots = 10;
constexpr std::int64_t kSchedulesAtOnce = 10;
constexpr std::int64_t kMaxPreview = 1000;

// The schedule in the path, of the given user or the actor.
ScheduleId take_id(const Call& call) {
  return {take_named_owner(call).value_or(call.actor.uid), std::string(call.parameter)};
}

// Tells an admin which users have a schedule of that name, since one of these is probably meant.
[[noreturn]] void no_such_schedule(const ApiContext& context, const Actor& actor,
                                   const ScheduleId& id) {
  std::string detail = "there is no schedule " + in_quotes(id.name);
  if (actor.admin) {
    detail += id.uid == actor.uid ? " of yours" : " of " + name_or_uid(id.uid);
    std::string others;
    for (const std::uint32_t uid : context.store.owners_of_schedules(id.name)) {
      others += (others.empty() ? "" : ", ") + name_or_uid(uid);
    }
    if (!others.empty()) detail += "; choose one of these users with \"user\": " + others;
  }
  throw ProblemError(404, "no_such_schedule", detail);
}

// Returns what the store found, or throws the refusal.
template <class Found, class Result>
Found found_in(const ApiContext& context, const Call& call, const ScheduleId& id, Result result) {
  if (std::holds_alternative<UnknownSchedule>(result)) no_such_schedule(context, call.actor, id);
  if (const auto* unknown = std::get_if<UnknownQueue>(&result))
    unknown_queue(unknown->queue, {"#/task/queue"});
  return std::get<Found>(std::move(result));
}

Schedule schedule_of(const ApiContext& context, const Call& call, const ScheduleId& id) {
  auto schedule = context.store.schedule(call.actor, id);
  if (!schedule) no_such_schedule(context, call.actor, id);
  return *std::move(schedule);
}

json answer_of(const ApiContext& context, Schedule schedule, const std::vector<Slot>& slots) {
  const WallTime now = context.clock.wall_now();
  // The timer thread may not have run yet; the rule gives the same result here.
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

void refuse_unreadable(const Schedule& schedule) {
  if (schedule.unreadable.empty()) return;
  throw ProblemError(409, "wrong_state",
                     "the task of schedule " + in_quotes(schedule.settings.name) +
                         " cannot be read (" + schedule.unreadable + "); replace it");
}

// Checks that the cron line and the zone are valid.
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

ScheduleSettings read_settings(const ApiContext& context, const Call& call, const ScheduleId& id) {
  const std::string& name = id.name;
  if (!is_valid_queue_name(name)) {
    throw ProblemError(422, "invalid_request",
                       "a schedule's name is 1 to 64 letters, digits, '.', '_' or '-', and begins "
                       "with a letter or digit; not " +
                           in_quotes(name));
  }
  json sent = parse_body(call.body);
  if (const auto task = sent.find("task"); task != sent.end()) {
    apply_defaults(context, "#/task", *task);
  }
  ScheduleBody body = schedule_body_from_json(sent, name);
  check_calendar(body.settings, body.errors);
  check_notify(context, "#/task", body.settings.task.notify, body.errors);
  if (!body.errors.empty()) invalid_fields("invalid_request", std::move(body.errors));
  check_task(context, call.actor, id.uid, "#/task", body.settings.task);
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

// A schedule's task may be a megabyte, so they are read in small batches, and a page ends early.
Reply list_schedules(const ApiContext& context, const Call& call) {
  const auto owner = take_named_owner(call);
  const auto limit = call.query.take_int("limit", 1, 1000, 100);
  const std::string list = "schedules of " + (owner ? std::to_string(*owner) : "all");
  const auto cursor = call.query.take("cursor");
  call.query.finish();
  std::int64_t after = cursor ? parse_cursor(*cursor, list) : 0;
  Page page("schedules");
  for (std::int64_t count = 0;;) {
    const auto wanted = std::min(limit - count, kSchedulesAtOnce);
    auto schedules =
        context.store.schedules(call.actor, owner, after, static_cast<int>(wanted) + 1);
    const bool more = std::ssize(schedules) > wanted;
    if (more) schedules.pop_back();  // it only showed that there are more
    for (const Schedule& schedule : schedules) {
      if (page.is_full()) return page.finish(make_cursor(after, list));
      page.add_text(dump(answer_of(context, schedule)));
      ++count;
      after = schedule.id;
    }
    if (!more) return page.finish(nullptr);
    if (count == limit) return page.finish(make_cursor(after, list));
  }
}

Reply show_schedule(const ApiContext& context, const Call& call) {
  const ScheduleId id = take_id(call);
  call.query.finish();
  const Schedule schedule = schedule_of(context, call, id);
  const std::vector<Slot> slots = context.store.slots(schedule.id, kShownSlots);
  json out = answer_of(context, schedule, slots);
  json& list = out["slots"] = json::array();
  for (const Slot& slot : slots) list.push_back(slot_to_json(slot));
  return json_reply(200, out);
}

Reply put_schedule(const ApiContext& context, const Call& call) {
  const ScheduleId id = take_id(call);
  call.query.finish();
  const ScheduleSettings settings = read_settings(context, call, id);
  know_owner(context, id.uid);
  const bool is_new = !context.store.schedule(call.actor, id);
  const auto schedule = found_in<Schedule>(
      context, call, id, context.store.put_schedule(call.actor, id.uid, settings));
  Reply reply = json_reply(is_new ? 201 : 200, answer_of(context, schedule));
  const std::string whose = id.uid == call.actor.uid ? "" : "?user=" + std::to_string(id.uid);
  if (is_new) reply.headers.emplace_back("Location", "/v1/schedules/" + settings.name + whose);
  return reply;
}

Reply remove_schedule(const ApiContext& context, const Call& call) {
  const ScheduleId id = take_id(call);
  call.query.finish();
  found_in<Schedule>(context, call, id, context.store.remove_schedule(call.actor, id));
  return json_reply(200, {{"name", id.name}});
}

Reply pause_schedule(const ApiContext& context, const Call& call) {
  const ScheduleId id = take_id(call);
  call.query.finish();
  const std::string reason = read_reason(call, /*is_pause=*/true);
  const auto paused =
      found_in<Schedule>(context, call, id, context.store.pause_schedule(call.actor, id, reason));
  return json_reply(200, answer_of(context, paused));
}

Reply resume_schedule(const ApiContext& context, const Call& call) {
  const ScheduleId id = take_id(call);
  call.query.finish();
  read_reason(call, /*is_pause=*/false);
  const auto resumed =
      found_in<Schedule>(context, call, id, context.store.resume_schedule(call.actor, id));
  return json_reply(200, answer_of(context, resumed));
}

Reply trigger_schedule(const ApiContext& context, const Call& call) {
  const ScheduleId id = take_id(call);
  call.query.finish();
  read_reason(call, /*is_pause=*/false);
  const auto schedule = context.store.schedule(call.actor, id);
  if (schedule) refuse_unreadable(*schedule);
  if (schedule) check_command(context, schedule->settings.task);
  TriggerResult result = context.store.trigger_schedule(call.actor, id);
  if (const auto* full = std::get_if<QueueFull>(&result)) queue_full(context, *full);
  if (const auto* unknown = std::get_if<UnknownQueue>(&result)) {
    throw ProblemError(422, "unknown_queue",
                       "there is no queue " + in_quotes(unknown->queue) + " any more");
  }
  const auto triggered = found_in<Triggered>(context, call, id, std::move(result));
  const auto task = context.store.get(call.actor, triggered.task);
  if (!task) no_such_task(triggered.task);
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
  const ScheduleId id = take_id(call);
  const WallTime from = take_from(context, call);
  const auto limit = call.query.take_int("limit", 1, kMaxPreview, 10);
  call.query.finish();
  const Schedule schedule = schedule_of(context, call, id);
  const auto rule = rule_of(schedule);
  const auto* cron = rule ? std::get_if<CronRule>(&*rule) : nullptr;
  const auto zone = cron != nullptr ? std::optional(cron->zone) : Zone::load(Zone::system_name());
  if (!rule || !zone) {
    throw ProblemError(409, "unknown_zone",
                       "the time zone " + in_quotes(schedule.settings.zone) +
                           " of this schedule is unknown on this machine");
  }
  // A slot at `from` is included, but the moment from which an interval counts is not a slot.
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
