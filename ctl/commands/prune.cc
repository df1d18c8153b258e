#include <nlohmann/json.hpp>

#include "ctl/commands/control.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {

int prune_command(Context& context, const Words& argv) {
  static constexpr ControlVerb kVerb{
      .name = "prune",
      .path = "delete",
      .act = "remove",
      .done = "removed",
      .help = {
          .usage = "[OPTIONS] FILTER | --all",
          .paragraph =
              R"(Removes ended tasks and their output for good, as rm does, and says how much room the
output took. What has not ended stays. Tasks are removed by themselves when their --keep
is over; prune removes them sooner.)",
          .examples =
              R"(  taskctl prune --state succeeded --ended-before 7d --dry-run
  taskctl prune --state succeeded --ended-before 7d
  taskctl prune --all
)"}};
  ControlOptions options;
  bool all = false;
  Args args(kVerb.name, kVerb.help);
  args.flag("--all", all, "all your ended tasks; for root, everybody's");
  options.declare(args);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Selection selection = parse_selection(options.selector, context.clock.wall_now());
  if (selection.by_id()) throw UsageError(kExitUsage, "prune takes no ids; use rm for ids");
  if (all == selection.by_filter())
    throw UsageError(kExitUsage, all ? "give either --all or a filter, not both"
                                     : "which tasks? Name a filter such as --ended-before 7d, or "
                                       "--all for all that have ended");
  nlohmann::json filter = filter_to_json(selection);
  if (all) filter["state"] = {"succeeded", "failed", "cancelled"};
  return change_named(context, kVerb, options, connect(context, options.common),
                      {{"filter", std::move(filter)}});
}

}  // namespace taskd::ctl
