#include <nlohmann/json.hpp>

#include "ctl/outcome.h"
#include "ctl/selector.h"
#include "ctl/submit_options.h"
#include "ctl/verbs.h"
#include "ctl/waiter.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kHelp{
    .usage = "[OPTIONS] -- COMMAND [ARG…]\n       taskctl submit [OPTIONS] --shell LINE",
    .paragraph =
        R"(Hands a command to the daemon and prints the task's id once it is safely on disk.
The command gets exactly these arguments, without a shell; it runs in this folder,
as you, with a small environment. With --wait taskctl stays until the task has ended
and exits with its code (see man taskctl); an interrupt then leaves the task alone.)",
    .examples =
        R"(  taskctl submit -- make -j4 all
  taskctl submit --name backup --at 03:00 --timeout 2h -- ./backup.sh
  taskctl submit --max-attempts 5 --retry-delay 30s -- curl -fO https://example.org/x
  id=$(taskctl submit --shell 'sort big | uniq -c > counts') && taskctl wait "$id"
)"};

}  // namespace

int submit_command(Context& context, const Words& argv) {
  CommonOptions common;
  SubmitOptions options;
  bool json = false;
  bool wait = false;
  Args args("submit", kHelp);
  options.declare(args);
  args.flag("--wait", wait, "wait for the end and exit with the task's code");
  args.flag("--json", json, "print the task as JSON; with --wait as it has ended");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const NewTask task = options.to_task(context);
  const Client client = connect(context, common);
  nlohmann::json answer = options.send(client, task);
  const TaskId id = read_task(answer).id;
  if (!json) context.out.line(std::to_string(id));
  context.out.flush();
  if (wait) answer = std::move(wait_for_tasks(context, client, {id}, {}).front());
  if (json) {
    answer["version"] = 1;
    context.out.line(print_json(answer));
  }
  return wait ? exit_code_of(read_task(answer)) : kExitOk;
}

}  // namespace taskd::ctl
