#include <nlohmann/json.hpp>

#include "ctl/commands/control.h"
#include "daemon/base/errors.h"
#include "daemon/base/signals.h"
#include "daemon/base/text.h"

namespace taskd::ctl {

int signal_command(Context& context, const Words& argv) {
  static constexpr ControlVerb kVerb{
      .name = "signal",
      .path = "signal",
      .act = "signal",
      .done = "signalled",
      .help = {
          .usage = "[OPTIONS] [-s] SIGNAL ID… | FILTER",
          .paragraph =
              R"(Sends a signal to running tasks: to the process group of the command, as a key on a
terminal does; processes that made groups of their own do not get it. A command that
dies of it counts as failed and may be tried again: to end a task for good, cancel it.
Ids are all-or-nothing.)",
          .examples =
              R"(  taskctl signal USR1 12
  taskctl signal -s HUP --queue web
  taskctl signal STOP 12 && taskctl signal CONT 12
)"}};
  ControlOptions options;
  std::optional<std::string> name;
  Args args(kVerb.name, kVerb.help);
  args.option("-s,--signal", "SIGNAL", name, "its name or number: USR1, SIGHUP, 10");
  options.declare(args);
  if (!args.parse(argv, context.out)) return kExitOk;

  Words& words = options.selector.words;
  if (!name) {
    if (words.empty())
      throw UsageError(kExitUsage, "which signal? As in \"taskctl signal USR1 12\"");
    name = words.front();
    words.erase(words.begin());
  }
  const auto signal = parse_signal(*name);
  if (!signal)
    throw UsageError(kExitUsage, "\"" + escape_for_humans(*name) +
                                     "\" is not a signal; write a name such as USR1, or a number");
  return change_tasks(context, kVerb, options, {{"signal", *signal}});
}

}  // namespace taskd::ctl
