#include "ctl/commands/control.h"

#include <nlohmann/json.hpp>

#include "ctl/base/count_text.h"
#include "ctl/options/selector.h"
#include "ctl/terminal/confirm.h"
#include "ctl/view/preview.h"
#include "ctl/view/task_table.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kShownTasks = 10;  // in a dry run

struct Changed {
  std::size_t count = 0;
  std::size_t stopping = 0;  // cancelled while running: they end once their processes are dead
  std::string unchanged;     // "2 succeeded, 1 failed": within a named range, but not affected
  std::int64_t freed_bytes = 0;
};

std::string unchanged_text(const nlohmann::json& answer) {
  std::string text;
  for (const nlohmann::json& one : answer.value("unchanged", nlohmann::json::array())) {
    text += (text.empty() ? "" : ", ") + format_count(one.at("count").get<std::int64_t>()) + " " +
            one.at("state").get<std::string>();
  }
  return text;
}

Changed read_changed(const nlohmann::json& answer) {
  Changed changed;
  try {
    changed.count = answer.at("count").get<std::size_t>();
    changed.stopping = answer.at("running").get<std::size_t>();
    changed.unchanged = unchanged_text(answer);
    changed.freed_bytes = answer.value("freed_bytes", std::int64_t{0});
  } catch (const nlohmann::json::exception&) {
    throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's answer");
  }
  return changed;
}

std::string describe(const ControlVerb& verb, const Changed& changed) {
  const std::string rest = changed.unchanged.empty() ? "" : "; left alone: " + changed.unchanged;
  if (changed.count == 0) return "no task matches; nothing was changed" + rest;
  std::string out = std::string(verb.done) + " " + count_tasks(changed.count);
  if (changed.stopping > 0 && verb.path == "cancel") {
    const std::size_t waiting = changed.count - changed.stopping;
    out = "cancelling " + format_count(changed.stopping) + " running " +
          (changed.stopping == 1 ? "task" : "tasks");
    if (waiting > 0) out = std::string(verb.done) + " " + count_tasks(waiting) + ", " + out;
  }
  if (changed.freed_bytes > 0) out += "; " + format_bytes(changed.freed_bytes) + " of output freed";
  return out + rest;
}

std::string target_of(const ControlVerb& verb) {
  return "/v1/tasks:" + std::string(verb.path);
}

nlohmann::json ask_preview(const Client& client, const ControlVerb& verb, nlohmann::json body) {
  body["dry_run"] = true;
  return client.post(target_of(verb), body);
}

// The first tasks of the preview that still exist.
std::vector<nlohmann::json> first_tasks(const Client& client, const Preview& preview) {
  std::vector<nlohmann::json> tasks;
  for (const TaskId id : preview.ids) {
    if (tasks.size() == kShownTasks) break;
    try {
      tasks.push_back(client.get("/v1/tasks/" + std::to_string(id)));
    } catch (const Refused& refused) {
      if (refused.problem.code != "no_such_task") throw;
    }
  }
  return tasks;
}

int show_preview(Context& context, const ControlVerb& verb, const ControlOptions& options,
                 const Client& client, const nlohmann::json& body) {
  nlohmann::json answer = ask_preview(client, verb, body);
  const Preview preview = read_preview(answer);
  if (options.json) {
    answer["version"] = 1;
    context.out.line(print_json(answer));
  } else if (preview.count > 0) {
    const Painter paint = make_painter(context, options.common);
    print_tasks(context, paint, first_tasks(client, preview));
    context.out.flush();
  }
  if (!options.quiet) context.say(describe_dry_run(preview, verb.act, kShownTasks));
  return kExitOk;
}

// Returns false if the person at the terminal declines. Asks nothing if nothing would change.
bool is_wanted(const ControlVerb& verb, const Client& client, const nlohmann::json& body) {
  const Preview preview = read_preview(ask_preview(client, verb, body));
  if (preview.count == 0) return true;
  return confirm(question_about(preview, verb.act));
}

}  // namespace

void ControlOptions::declare(Args& args) {
  args.words(selector.words);
  add_filter_options(args, selector);
  args.flag("--dry-run", dry_run, "change nothing; show what would be changed");
  args.flag("-y,--yes", yes, "do not ask before a filter's tasks are changed");
  args.flag("--json", json, "print what changed as JSON");
  args.flag("--quiet", quiet, "do not say how many changed");
  add_common(args, common);
}

int run_control(Context& context, const Words& argv, const ControlVerb& verb) {
  ControlOptions options;
  Args args(verb.name, verb.help);
  options.declare(args);
  if (!args.parse(argv, context.out)) return kExitOk;
  return change_tasks(context, verb, options, nlohmann::json::object());
}

int change_tasks(Context& context, const ControlVerb& verb, const ControlOptions& options,
                 nlohmann::json body) {
  const Selection selection = parse_selection(options.selector, context.clock.wall_now());
  if (!selection.by_id() && !selection.by_filter())
    throw UsageError(kExitUsage, "which tasks? Name ids, or a filter such as --state or --queue");
  const Client client = connect(context, options.common);
  if (selection.by_id())
    body["tasks"] = selection.words;
  else
    body["filter"] = filter_to_json(selection);
  return change_named(context, verb, options, client, std::move(body));
}

int change_named(Context& context, const ControlVerb& verb, const ControlOptions& options,
                 const Client& client, nlohmann::json body) {
  if (options.dry_run) return show_preview(context, verb, options, client, body);
  const bool asks = body.contains("filter") && !options.yes && can_ask();
  if (asks && !is_wanted(verb, client, body)) {
    context.say("nothing was changed");
    return kExitOk;
  }
  nlohmann::json answer = client.post(target_of(verb), body);
  const Changed changed = read_changed(answer);
  if (options.json) {
    answer["version"] = 1;
    context.out.line(print_json(answer));
  }
  if (!options.quiet) context.say(describe(verb, changed));
  return kExitOk;
}

}  // namespace taskd::ctl
