#include <nlohmann/json.hpp>

#include "ctl/commands/control.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {

int move_command(Context& context, const Words& argv) {
  static constexpr ControlVerb kVerb{
      .name = "move",
      .path = "move",
      .act = "move",
      .done = "moved",
      .help = {
          .usage = "[OPTIONS] QUEUE ID… | QUEUE FILTER",
          .paragraph =
              R"(Moves waiting tasks to another queue. They keep their priority and start time, and
older tasks still go first. A task that runs or has ended is not moved. Ids are
all-or-nothing; tasks of a filter are moved until the queue is full (75).)",
          .examples =
              R"(  taskctl move night 12 13
  taskctl move bulk --queue mail --label campaign=june
)"}};
  ControlOptions options;
  Args args(kVerb.name, kVerb.help);
  options.declare(args);
  if (!args.parse(argv, context.out)) return kExitOk;

  Words& words = options.selector.words;
  if (words.empty())
    throw UsageError(kExitUsage, "to which queue? As in \"taskctl move night 12\"");
  const std::string queue = words.front();
  words.erase(words.begin());
  if (!is_valid_utf8(queue)) throw UsageError(kExitBadData, "the queue's name is not UTF-8");
  try {
    return change_tasks(context, kVerb, options, {{"queue", queue}});
  } catch (const Refused& refused) {
    const FieldErrors& errors = refused.problem.errors;
    if (errors.empty() || errors.front().pointer != "#/queue") throw;
    // Here the queue is a word, not --queue.
    throw Failure(refused.exit_code, errors.front().detail);
  }
}

}  // namespace taskd::ctl
