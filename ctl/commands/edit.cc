#include <nlohmann/json.hpp>

#include "ctl/edit_task.h"
#include "ctl/selector.h"
#include "ctl/verbs.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kEditHelp{
    .usage = "[OPTIONS] ID [-- COMMAND [ARG…]]",
    .paragraph =
        R"(Changes a task that waits. The options are those of submit: what they name is changed,
everything else stays. --env and --label add to what is there. Without an option the
task opens in $VISUAL or $EDITOR; there, a task that somebody else has changed meanwhile
is not overwritten (73). A task that runs or has ended is not changed (73); for one that
has ended there is "retry --edit".)",
    .examples =
        R"(  taskctl edit 12                          # in the editor
  taskctl edit 12 --priority high --queue night --delay 1h
  taskctl edit 12 --delay 0                # as soon as it may
  taskctl edit last --env LEVEL=9 --unset-env DEBUG -- ./pack.sh all
)"};

}  // namespace

int edit_command(Context& context, const Words& argv) {
  CommonOptions common;
  EditOptions options;
  Words words;
  bool json = false;
  bool quiet = false;
  Args args("edit", kEditHelp);
  args.words(words);
  options.declare(args);
  args.flag("--json", json, "print the task as JSON");
  args.flag("--quiet", quiet, "do not say what was done");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;
  const TaskEdit edit{.id = one_task(words), .retry = false};

  const nlohmann::json patch = options.to_patch(context);
  const Client client = connect(context, common);
  nlohmann::json task =
      patch.empty() ? edit_in_editor(context, client, edit) : send_patch(client, edit, patch);
  if (task.is_null()) {
    if (!quiet) context.say("nothing was changed");
    return kExitOk;
  }
  if (json) {
    task["version"] = 1;
    context.out.line(print_json(task));
  }
  if (!quiet) context.say("edited task " + std::to_string(read_task(task).id));
  return kExitOk;
}

}  // namespace taskd::ctl
