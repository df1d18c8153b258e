#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/commands/control.h"
#include "ctl/commands/edit_task.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {
namespace {

constexpr ControlVerb kVerb{
    .name = "retry",
    .path = "retry",
    .act = "retry",
    .done = "retried",
    .help = {
        .usage = "[OPTIONS] ID… | FILTER\n       taskctl retry --edit [OPTIONS] ID"
                 " [-- COMMAND [ARG…]]",
        .paragraph =
            R"(Puts ended tasks back into their queue with a fresh budget of attempts. Their history
and output are kept, and tasks that had failed because of them wait for them again. Ids
are all-or-nothing. --dead selects the tasks that were given up.

With --edit one task is changed first, with the options of edit (see "taskctl retry
--edit --help") or, without any, in the editor.)",
        .examples =
            R"(  taskctl retry 12
  taskctl retry --dead --queue mail --since 2h --dry-run
  taskctl retry --dead --queue mail --since 2h
  taskctl retry --edit 12 --timeout 1h --env LEVEL=9
)"}};

constexpr HelpText kRetryEditHelp{
    .usage = "--edit [OPTIONS] ID [-- COMMAND [ARG…]]",
    .paragraph =
        R"(Changes a task that has ended and runs it again, in one step. The options are those of
submit: they change what they name, and everything else stays. Without an option the task
opens in $VISUAL or $EDITOR. Its history stays, and its budget of attempts is fresh.)",
    .examples =
        R"(  taskctl retry --edit 12                  # in the editor
  taskctl retry --edit 12 --timeout 1h --unset-env DEBUG
  taskctl retry --edit last -- ./pack.sh all
)"};

// Its options differ from those of a filter, although some have the same names.
int retry_edited(Context& context, const Words& argv) {
  CommonOptions common;
  EditOptions options;
  Words words;
  bool edits = false;
  bool json = false;
  bool quiet = false;
  Args args("retry", kRetryEditHelp);
  args.words(words);
  args.flag("--edit", edits, "change it before it runs again");
  options.declare(args);
  args.flag("--json", json, "{\"version\":1,\"tasks\":[…]}");
  args.flag("--quiet", quiet, "print nothing on success");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;
  const std::string word = one_task(words);

  const nlohmann::json patch = options.to_patch(context);
  const Client client = connect(context, common);
  const TaskEdit edit{.id = resolve_one(client, word), .retry = true};
  nlohmann::json task =
      patch.empty() ? edit_in_editor(context, client, edit) : send_patch(client, edit, patch);
  if (json) context.out.line(print_json({{"version", 1}, {"tasks", {task}}}));
  if (!quiet) context.say("edited and retried task " + std::to_string(read_task(task).id));
  return kExitOk;
}

}  // namespace

int retry_command(Context& context, const Words& argv) {
  const auto options_end = std::find(argv.begin(), argv.end(), "--");
  const bool edits = std::find(argv.begin(), options_end, "--edit") != options_end;
  return edits ? retry_edited(context, argv) : run_control(context, argv, kVerb);
}

}  // namespace taskd::ctl
