#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/commands/sub_verbs.h"
#include "ctl/net/http.h"
#include "ctl/options/flag_values.h"
#include "ctl/options/selector.h"
#include "ctl/options/submit_options.h"
#include "ctl/options/when.h"
#include "ctl/view/schedule_view.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

constexpr char kSchedulePath[] = "/v1/schedules/";

// The owner of the schedule: names are per user.
struct OwnerOption {
  std::optional<std::string> user;
  std::string name = "--user";

  void declare(Args& args) { args.option(name, "USER", user, "this user's schedule (root only)"); }
  // The query for a request's target; it begins with `first`.
  std::string query(std::string_view first = "?") const {
    return user ? std::string(first) + "user=" + percent_encode(checked(name, *user)) : "";
  }
  std::string target(const std::string& schedule, const std::string& verb = "") const {
    return kSchedulePath + schedule + verb + query();
  }
};

// --- creating -----------------------------------------------------------------------------------

// When it fires, and what happens to missed and overlapping slots.
struct RuleOptions {
  std::optional<std::string> cron, zone, every, catch_up, overlap;

  void declare(Args& args) {
    args.option("--cron", "LINE", cron,
                "minute, hour, day of month, month, day of week,\n"
                "as in '0 3 * * 1-5'; or @daily and the like");
    args.option("--tz", "ZONE", zone,
                "time zone of the line, such as Europe/Paris\n(default: the daemon's)");
    args.option("--every", "TIME", every, "interval instead of a line: 10m, 1h30m; at least 1s");
    args.option("--catch-up", "WHAT", catch_up,
                "which slots fire that were missed while the daemon\n"
                "was down: one (the latest, default), all, none");
    args.option("--overlap", "WHAT", overlap,
                "what happens if the last task has not ended yet:\n"
                "skip it (default), queue its task, or replace the\n"
                "old task: it is cancelled, and the new one starts\n"
                "once it has stopped");
  }
  // The daemon validates the values.
  json to_body() const {
    if (cron.has_value() == every.has_value())
      throw UsageError(kExitUsage,
                       cron ? "give either --cron or --every, not both"
                            : "when should it fire? Give --cron '0 3 * * *' or --every 10m");
    if (every && zone) throw UsageError(kExitUsage, "--tz belongs to --cron, not to --every");
    json body = json::object();
    add(body, "cron", "--cron", cron);
    add(body, "zone", "--tz", zone);
    add(body, "catch_up", "--catch-up", catch_up);
    add(body, "overlap", "--overlap", overlap);
    if (every) body["every_ms"] = duration_flag("--every", *every);
    return body;
  }

 private:
  static void add(json& body, const char* field, const std::string& option,
                  const std::optional<std::string>& text) {
    if (!text) return;
    if (!is_valid_utf8(*text))
      throw UsageError(kExitBadData, option + " is not UTF-8 and cannot be sent");
    body[field] = *text;
  }
};

bool exists(const Client& client, const std::string& target) {
  try {
    client.get(target);
    return true;
  } catch (const Refused& e) {
    if (e.problem.code != "no_such_schedule") throw;
    return false;
  }
}

int add_schedule(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME --cron LINE | --every TIME -- COMMAND [ARG…]",
      .paragraph =
          R"(Makes a schedule: at each of its slots the daemon submits the command, as `submit` does
now. The folder and the small environment are those of this moment.

A cron line fires when minute, hour and month match, and the day: if both day fields
are given, either may match. A time that daylight saving skips fires once, when the gap
ends; one that comes twice fires the first time. If the hour field begins with *, the
line follows elapsed time: it fires in both copies of a repeated hour, and an hourly
line leaves skipped times out. `taskctl schedule preview` shows what that means.)",
      .examples =
          R"(  taskctl schedule add backup --cron '0 3 * * *' --tz Europe/Paris -- ./backup.sh
  taskctl schedule add report --cron '30 8 * * mon-fri' --max-attempts 3 -- ./report.sh
  taskctl schedule add poll --every 10m --timeout 5m -- ./poll.sh
  taskctl schedule add tidy --cron @weekly --catch-up none --shell 'find ~/tmp -mtime +7 -delete'
  taskctl schedule add backup --replace --cron '0 4 * * *' -- ./backup.sh
)"};
  RuleOptions rule;
  SubmitOptions options;
  bool replace = false;
  Args args("schedule add", kHelp);
  rule.declare(args);
  args.flag("--replace", replace, "replace an existing schedule of this name");
  options.declare(args, OptionsOf::schedule);
  // For this verb, --user is the user that the task runs as.
  OwnerOption owner{.user = {}, .name = "--owner"};
  owner.declare(args);
  NamedArgs asked(args, "schedule", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;

  const std::string target = owner.target(asked.name());
  json body = rule.to_body();
  body["task"] = options.to_body(context);
  const Client client = connect(context, asked.common);
  const bool is_new = !exists(client, target);
  if (!is_new && !replace)
    throw Failure(kExitConflict,
                  "schedule " + asked.name() + " already exists; --replace changes it");
  json answer = ask(client, "PUT", target, body);
  const Schedule schedule = read_schedule(answer).schedule;
  asked.say_done(context, std::move(answer),
                 (is_new ? " created; it " : " replaced; it ") +
                     next_text(schedule, context.clock.wall_now()));
  return kExitOk;
}

// --- showing ------------------------------------------------------------------------------------

// Fetches all pages; sorted by name.
std::vector<json> get_schedules(const Client& client, const std::string& query) {
  std::vector<json> items;
  try {
    json next;
    do {
      std::string target = "/v1/schedules" + query + (query.empty() ? "?" : "&") + "limit=1000";
      if (next.is_string()) target += "&cursor=" + percent_encode(next.get<std::string>());
      json answer = client.get(target);
      for (json& item : answer.at("schedules")) items.push_back(std::move(item));
      next = answer.at("next_cursor");
    } while (next.is_string());
    std::stable_sort(items.begin(), items.end(), [](const json& a, const json& b) {
      return a.at("name").get_ref<const std::string&>() <
             b.at("name").get_ref<const std::string&>();
    });
  } catch (const json::exception&) {
    throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's answer");
  }
  return items;
}

int list_schedules(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS]",
      .paragraph =
          R"(Lists your schedules; root sees everybody's. NEXT is local time, ZONE that of the cron
line. LAST is the outcome of the latest slot: the task it submitted, overlap (the task
before had not ended) or refused (the queue took no task).)",
      .examples = R"(  taskctl schedule list
  taskctl schedule list --json | jq -r '.schedules[] | select(.paused) | .name'
)"};
  CommonOptions common;
  bool as_json = false;
  OwnerOption owner;
  Args args("schedule list", kHelp);
  owner.declare(args);
  args.flag("--json", as_json, "{\"version\":1,\"schedules\":[…],\"next_cursor\":null}");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Painter paint = make_painter(context, common);
  std::vector<json> items = get_schedules(connect(context, common), owner.query());
  if (as_json) {
    print_document(context, {{"schedules", std::move(items)}, {"next_cursor", nullptr}});
    return kExitOk;
  }
  std::vector<ShownSchedule> schedules;
  for (const json& item : items) schedules.push_back(read_schedule(item));
  if (schedules.empty())
    context.say("there are no schedules");
  else
    print_schedules(context, paint, schedules);
  return kExitOk;
}

int show_schedule(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Shows a schedule: its rule, what it runs, when it fires next, and the outcome of its
last ten slots. Times are local.)",
      .examples = R"(  taskctl schedule show backup
  taskctl schedule show backup --json | jq '.slots[0].task_id'
)"};
  OwnerOption owner;
  Args args("schedule show", kHelp);
  owner.declare(args);
  NamedArgs asked(args, "schedule", /*changes=*/false);
  if (!args.parse(argv, context.out)) return kExitOk;
  const std::string target = owner.target(asked.name());
  const Painter paint = make_painter(context, asked.common);
  json answer = connect(context, asked.common).get(target);
  if (asked.as_json)
    print_document(context, std::move(answer));
  else
    print_schedule(context, paint, read_schedule(answer));
  return kExitOk;
}

int preview_schedule(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Shows when a schedule fires, in its zone and in UTC, with a note where daylight saving
moves a slot. For a paused schedule: when it would fire.)",
      .examples = R"(  taskctl schedule preview backup --next 5
  taskctl schedule preview backup --from 2026-03-28T00:00:00Z --next 3
)"};
  std::optional<std::string> from, next;
  OwnerOption owner;
  Args args("schedule preview", kHelp);
  owner.declare(args);
  args.option("--from", "TIME", from, "from this time on (default: now), as --at of submit");
  args.option("--next", "N", next, "show N slots, 1 to 1000 (default: 10)");
  NamedArgs asked(args, "schedule", /*changes=*/false);
  if (!args.parse(argv, context.out)) return kExitOk;

  const auto count = next ? parse_int(*next) : std::optional<std::int64_t>(10);
  if (!count || *count < 1 || *count > 1000)
    throw UsageError(kExitUsage,
                     "--next: \"" + escape_for_humans(*next) + "\" is not a number from 1 to 1000");
  std::string target =
      kSchedulePath + asked.name() + "/preview?limit=" + std::to_string(*count) + owner.query("&");
  if (from)
    target += "&from=" + format_rfc3339(time_flag("--from", *from, context.clock.wall_now()));
  const Painter paint = make_painter(context, asked.common);
  json answer = connect(context, asked.common).get(target);
  if (asked.as_json)
    print_document(context, std::move(answer));
  else
    print_preview(context, paint, answer);
  return kExitOk;
}

// --- changing -----------------------------------------------------------------------------------

int pause_schedule(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Keeps a schedule from firing until it is resumed. Slots that pass meanwhile do not count
as missed: they never fire. Its tasks continue.)",
      .examples = R"(  taskctl schedule pause backup --reason 'the disk is being replaced'
)"};
  std::optional<std::string> reason;
  OwnerOption owner;
  Args args("schedule pause", kHelp);
  owner.declare(args);
  args.option("--reason", "TEXT", reason, "the reason, shown to other users");
  NamedArgs asked(args, "schedule", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;
  if (reason && !is_valid_utf8(*reason))
    throw UsageError(kExitBadData, "--reason is not UTF-8 and cannot be sent");
  const json body = reason ? json{{"reason", *reason}} : json::object();
  const std::string target = owner.target(asked.name(), "/pause");
  asked.say_done(context, connect(context, asked.common).post(target, body), " paused");
  return kExitOk;
}

int resume_schedule(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Ends a pause. The schedule fires from its next slot on; slots that passed never fire.)",
      .examples = R"(  taskctl schedule resume backup
)"};
  OwnerOption owner;
  Args args("schedule resume", kHelp);
  owner.declare(args);
  NamedArgs asked(args, "schedule", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;
  const std::string target = owner.target(asked.name(), "/resume");
  json answer = connect(context, asked.common).post(target, json::object());
  const Schedule schedule = read_schedule(answer).schedule;
  asked.say_done(context, std::move(answer),
                 " resumed; it " + next_text(schedule, context.clock.wall_now()));
  return kExitOk;
}

int trigger_schedule(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Submits the schedule's task now and prints its id, whatever its slots, pause and overlap
say, unless another task has its --unique key. Its slots stay as they are.)",
      .examples = R"(  id=$(taskctl schedule trigger backup) && taskctl wait "$id"
)"};
  OwnerOption owner;
  Args args("schedule trigger", kHelp);
  owner.declare(args);
  NamedArgs asked(args, "schedule", /*changes=*/false);
  if (!args.parse(argv, context.out)) return kExitOk;
  const std::string target = owner.target(asked.name(), "/trigger");
  const Client client = connect(context, asked.common);
  json answer = client.post(target, json::object());
  const TaskId id = read_task(answer).id;
  tell_of_answer(context, client, answer);
  if (asked.as_json)
    print_document(context, {{"tasks", {std::move(answer)}}});
  else
    context.out.line(std::to_string(id));
  return kExitOk;
}

int remove_schedule(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph = R"(Removes a schedule. The tasks it fired stay, running ones too.)",
      .examples = R"(  taskctl schedule rm backup
)"};
  OwnerOption owner;
  Args args("schedule rm", kHelp);
  owner.declare(args);
  NamedArgs asked(args, "schedule", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;
  const std::string target = owner.target(asked.name());
  asked.say_done(context, ask_to_remove(connect(context, asked.common), target), " removed");
  return kExitOk;
}

constexpr Verb kScheduleSubVerbs[] = {
    {"add", "", "create a schedule, or replace it", add_schedule},
    {"list", "", "list schedules and when they fire next", list_schedules},
    {"show", "", "show one schedule in detail, with its latest slots", show_schedule},
    {"pause", "", "stop firing", pause_schedule},
    {"resume", "", "end a pause", resume_schedule},
    {"trigger", "", "submit its task now", trigger_schedule},
    {"preview", "", "show when it will fire", preview_schedule},
    {"rm", "", "remove a schedule; its tasks stay", remove_schedule},
};

constexpr VerbFamily kScheduleFamily = {
    .noun = "schedule",
    .paragraph =
        "Submits tasks repeatedly, at set times. Schedule names are per user. You see and\n"
        "change your own schedules; root and the user who runs the daemon see and change\n"
        "everybody's (--user).\n",
    .verbs = kScheduleSubVerbs,
    .examples =
        "  taskctl schedule add backup --cron '0 3 * * *' --tz Europe/Paris -- ./backup.sh\n"
        "  taskctl schedule add poll --every 10m -- ./poll.sh\n"
        "  taskctl schedule preview backup\n"
        "  taskctl schedule list\n"};

}  // namespace

int schedule_command(Context& context, const Words& argv) {
  return run_sub_verb(context, kScheduleFamily, argv);
}

}  // namespace taskd::ctl
