#include <nlohmann/json.hpp>

#include "ctl/base/users.h"
#include "ctl/commands/verbs.h"
#include "ctl/options/selector.h"
#include "ctl/options/when.h"
#include "daemon/base/errors.h"
#include "daemon/task/task_name.h"
#include "wire/wire.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kWhyHelp{
    .usage = "[OPTIONS] TASK…",
    .paragraph =
        R"(Says why a task is not running: the one thing it waits for, who or what that is, and
when it is likely to start, judging by how long the latest tasks of its queue took.)",
    .examples =
        R"(  taskctl why 12
  taskctl why last
  taskctl why 12 --json | jq -r '.tasks[].why'
)"};

Why read_why(const nlohmann::json& answer) {
  try {
    return why_from_json(answer);
  } catch (const std::runtime_error& e) {
    throw Failure(kExitBadAnswer, std::string("the daemon's answer cannot be read: ") + e.what());
  }
}

std::string sentence(const Why& why, WallTime now) {
  const auto local = [&](WallTime time) {
    return format_local(time) + " (" + format_relative(time, now) + ")";
  };
  std::string text = describe_why(why, {.time = local, .user = describe_user});
  if (why.expected_at && why.expected_at != why.until)
    text += "; likely to start " + format_relative(*why.expected_at, now);
  return text;
}

}  // namespace

int why_command(Context& context, const Words& argv) {
  CommonOptions common;
  SelectorOptions selector;
  bool json = false;
  Args args("why", kWhyHelp);
  args.words(selector.words);
  args.flag("--json", json, "{\"version\":1,\"tasks\":[…]}, the daemon's answers");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;
  const Selection selection = parse_selection(selector, context.clock.wall_now());
  if (!selection.by_id()) throw UsageError(kExitUsage, "which task? Name its id, or last");
  const Client client = connect(context, common);
  const std::vector<nlohmann::json> tasks = named_tasks(context, client, selection.words);
  nlohmann::json answers = nlohmann::json::array();
  for (const nlohmann::json& document : tasks) {
    const Task task = read_task(document);
    nlohmann::json answer = client.get("/v1/tasks/" + std::to_string(task.id) + "/why");
    if (json) {
      answers.push_back(std::move(answer));
      continue;
    }
    const std::string prefix = tasks.size() > 1 ? name_of(task) + ": " : "";
    context.out.line(prefix + sentence(read_why(answer), context.clock.wall_now()));
  }
  if (json) context.out.line(print_json({{"version", 1}, {"tasks", std::move(answers)}}));
  return kExitOk;
}

}  // namespace taskd::ctl
