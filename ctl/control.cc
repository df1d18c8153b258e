#include "ctl/control.h"

#include <nlohmann/json.hpp>

#include "ctl/selector.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {
namespace {

struct Changed {
  std::size_t count = 0;
  std::size_t stopping = 0;  // cancelled while running: they end once their tree is dead
};

Changed read_changed(const nlohmann::json& answer) {
  Changed changed;
  try {
    for (const nlohmann::json& item : answer.at("changed")) {
      ++changed.count;
      if (item.at("state").get_ref<const std::string&>() == "running") ++changed.stopping;
    }
  } catch (const nlohmann::json::exception&) {
    throw Failure(kExitBadAnswer, "the daemon's answer is not one this version can read");
  }
  return changed;
}

std::string describe(const ControlVerb& verb, const Changed& changed) {
  if (changed.count == 0) return "no task matches; nothing was changed";
  std::string out = std::string(verb.done) + " " + std::to_string(changed.count) +
                    (changed.count == 1 ? " task" : " tasks");
  if (changed.stopping > 0 && verb.path == "cancel")
    out += ", of which " + std::to_string(changed.stopping) + " still being stopped";
  return out;
}

}  // namespace

void ControlOptions::declare(Args& args) {
  args.words(selector.words);
  add_filter_options(args, selector);
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
    body["ids"] = resolve_ids(client, selection);
  else
    body["filter"] = filter_to_json(selection);
  nlohmann::json answer = client.post("/v1/tasks:" + std::string(verb.path), body);
  const Changed changed = read_changed(answer);
  if (options.json) {
    answer["version"] = 1;
    context.out.line(print_json(answer));
  }
  if (!options.quiet) context.say(describe(verb, changed));
  return kExitOk;
}

}  // namespace taskd::ctl
