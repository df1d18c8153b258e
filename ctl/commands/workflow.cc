#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/commands/sub_verbs.h"
#include "ctl/follow/waiter.h"
#include "ctl/options/selector.h"
#include "ctl/options/submit_options.h"
#include "ctl/options/when.h"
#include "ctl/options/workflow_file.h"
#include "ctl/view/outcome.h"
#include "ctl/view/table.h"
#include "ctl/view/workflow_view.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

// The options of the verbs about one workflow.
struct OneWorkflow {
  Words words;
  bool as_json = false;
  CommonOptions common;

  explicit OneWorkflow(Args& args) {
    args.words(words);
    args.flag("--json", as_json, "print the answer as JSON");
    add_common(args, common);
  }
  OneWorkflow(const OneWorkflow&) = delete;  // Args points into it

  std::string path() const {
    const auto id = words.size() == 1 ? parse_int(words[0]) : std::nullopt;
    if (!id || *id < 1) throw UsageError(kExitUsage, "name one workflow by its id");
    return "/v1/workflows/" + std::to_string(*id);
  }
};

void print_workflow(Context& context, const CommonOptions& common, const Workflow& workflow) {
  const Painter paint = make_painter(context, common);
  std::string title = "workflow " + std::to_string(workflow.id);
  if (!workflow.name.empty()) title += " " + escape_for_humans(workflow.name);
  const State state = state_of(workflow);
  context.out.line(paint(Color::bold, title) + "  " + paint(color_of(state), to_string(state)));
  const bool unicode = is_utf8_locale(context.env.get("LC_ALL"), context.env.get("LC_CTYPE"),
                                      context.env.get("LANG"));
  for (const std::string& line : draw_workflow(workflow, paint, unicode)) context.out.line(line);
}

int wait_for_workflow(Context& context, const Client& client, const Workflow& workflow) {
  std::vector<TaskId> ids;
  for (const Task& task : workflow.tasks) ids.push_back(task.id);
  std::vector<json> ended = wait_for_tasks(context, client, ids, {});
  drop_skipped(client, workflow.id, ended);
  say_failures(context, ended);
  return exit_code_of_all(ended) == kExitOk ? kExitOk : kExitSomeFailed;
}

json send_file(const Client& client, const SubmitOptions& options, const WorkflowFile& file) {
  try {
    return options.send(client, "/v1/workflows", file.document);
  } catch (const Refused& refused) {
    if (refused.problem.errors.empty()) throw;
    throw Failure(refused.exit_code, describe_problem_of(file, refused.problem));
  }
}

int submit_workflow(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] FILE",
      .paragraph =
          R"(Submits the tasks of FILE (JSON, or TOML if it ends in .toml; - is standard input), all
or none, and prints the workflow's id. "tasks" are named tasks, each with the names of
those that it "needs"; or "chain" is an array of tasks that run one after the other; or
"group" is an array of tasks that run side by side, and "then" a task that runs after
all of them. Tasks have the fields of the API, see man taskctl; the options below fill
in what tasks leave out. Tasks get this folder and environment.)",
      .examples = R"(  taskctl workflow submit release.toml     # [tasks.test]
                                           # argv = ["make", "test"]
                                           # needs = ["build"]
  taskctl workflow submit --queue night --wait nightly.json
)"};
  Words words;
  CommonOptions common;
  SubmitOptions options;
  bool as_json = false;
  bool wait = false;
  Args args("workflow submit", kHelp);
  args.words(words);
  options.declare(args, OptionsOf::workflow);
  args.flag("--wait", wait, "wait for the end; exit 1 unless all succeeded");
  args.flag("--json", as_json, "print the workflow as JSON; with --wait as it has ended");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;
  if (words.size() != 1) throw UsageError(kExitUsage, "name one file, or -");
  if (!options.command().empty())
    throw UsageError(kExitUsage, "the commands belong in the file, not after --");

  WorkflowFile file = read_workflow_file(words[0]);
  add_defaults(file.document, options.to_defaults(context));
  const Client client = connect(context, common);
  json answer = with_all_tasks(client, send_file(client, options, file));
  const Workflow workflow = read_workflow(answer);
  if (!as_json) context.out.line(std::to_string(workflow.id));
  context.out.flush();
  const int code = wait ? wait_for_workflow(context, client, workflow) : kExitOk;
  if (wait && as_json) {
    answer = with_all_tasks(client, client.get("/v1/workflows/" + std::to_string(workflow.id)));
  }
  if (as_json) print_document(context, std::move(answer));
  return code;
}

int show_workflow(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] ID",
      .paragraph =
          R"(Draws a workflow as a tree with the state of each step. A step stands below the last
step that it needs and names the others.)",
      .examples = R"(  taskctl workflow show 3
  watch -c taskctl --color always workflow show 3
)"};
  Args args("workflow show", kHelp);
  OneWorkflow asked(args);
  if (!args.parse(argv, context.out)) return kExitOk;
  const Client client = connect(context, asked.common);
  json answer = with_all_tasks(client, client.get(asked.path()));
  if (asked.as_json)
    print_document(context, std::move(answer));
  else
    print_workflow(context, asked.common, read_workflow(answer));
  return kExitOk;
}

constexpr std::size_t kWorkflowsListed = 100;

struct WorkflowList {
  std::vector<json> items;
  json next_cursor;  // null: complete
};

// The newest `limit` workflows (0 = all), page by page.
WorkflowList get_workflows(const Client& client, std::size_t limit) {
  WorkflowList list;
  try {
    do {
      const std::size_t page =
          limit == 0 ? kMaxPage : std::min<std::size_t>(limit - list.items.size(), kMaxPage);
      std::string target = "/v1/workflows?limit=" + std::to_string(page);
      if (list.next_cursor.is_string())
        target += "&cursor=" + percent_encode(list.next_cursor.get<std::string>());
      json answer = client.get(target);
      for (json& item : answer.at("workflows")) list.items.push_back(std::move(item));
      list.next_cursor = answer.at("next_cursor");
    } while (list.next_cursor.is_string() && (limit == 0 || list.items.size() < limit));
  } catch (const json::exception&) {
    throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's answer");
  }
  return list;
}

void print_workflows(Context& context, const Painter& paint, const std::vector<json>& items) {
  Table table({{"ID", true},
               {"STATE"},
               {"ENDED", true},
               {"SUBMITTED", false, false, 1},
               {"NAME", false, true}});
  const WallTime now = context.clock.wall_now();
  try {
    for (const json& item : items) {
      const auto state = parse_state(item.at("state").get<std::string>());
      const auto created = parse_rfc3339(item.at("created_at").get<std::string>());
      std::int64_t ended = 0;
      std::int64_t all = 0;
      for (const auto& [name, count] : item.at("counts").items()) {
        const auto counted = parse_state(name);
        all += count.get<std::int64_t>();
        if (counted && is_end(*counted)) ended += count.get<std::int64_t>();
      }
      table.add({{std::to_string(item.at("id").get<std::int64_t>())},
                 {item.at("state").get<std::string>(), state ? color_of(*state) : Color::none},
                 {std::to_string(ended) + "/" + std::to_string(all)},
                 {created ? format_relative(*created, now) : ""},
                 {escape_for_humans(item.at("name").get<std::string>())}});
    }
  } catch (const json::exception&) {
    throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's answer");
  }
  const auto columns = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  context.out.write(table.render(static_cast<std::size_t>(columns), paint));
}

int list_workflows(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{.usage = "[OPTIONS]",
                                  .paragraph = R"(Lists the latest workflows, the newest first.)",
                                  .examples = R"(  taskctl workflow list
  taskctl workflow list --all --json | jq '.workflows[] | select(.state == "failed").id'
)"};
  CommonOptions common;
  std::optional<std::string> limit_text;
  bool all = false;
  bool as_json = false;
  Args args("workflow list", kHelp);
  args.option("-n,--limit", "N", limit_text, "at most N workflows (default: 100)");
  args.flag("--all", all, "all workflows");
  args.flag("--json", as_json, "{\"version\":1,\"workflows\":[…],\"next_cursor\":…}");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const std::size_t limit = list_limit(limit_text, all, kWorkflowsListed);
  const Painter paint = make_painter(context, common);
  WorkflowList list = get_workflows(connect(context, common), limit);
  if (as_json) {
    print_document(context,
                   {{"workflows", std::move(list.items)}, {"next_cursor", list.next_cursor}});
    return kExitOk;
  }
  print_workflows(context, paint, list.items);
  if (list.next_cursor.is_string()) say_more_are_left(context, list.items.size());
  return kExitOk;
}

int control_workflow(Context& context, const Words& argv, const char* verb, const HelpText& help) {
  Args args(std::string("workflow ") + verb, help);
  OneWorkflow asked(args);
  if (!args.parse(argv, context.out)) return kExitOk;
  const Client client = connect(context, asked.common);
  json answer = with_all_tasks(client, client.post(asked.path() + "/" + verb, json::object()));
  if (asked.as_json)
    print_document(context, std::move(answer));
  else
    print_workflow(context, asked.common, read_workflow(answer));
  return kExitOk;
}

int cancel_workflow(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] ID",
      .paragraph = R"(Cancels all of a workflow that has not ended, and draws it.)",
      .examples = R"(  taskctl workflow cancel 3
)"};
  return control_workflow(context, argv, "cancel", kHelp);
}

int retry_workflow(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] ID",
      .paragraph =
          R"(Runs the steps of a workflow again that failed or were cancelled, and the steps that
depend on them; what has succeeded stays.)",
      .examples = R"(  taskctl workflow retry 3
)"};
  return control_workflow(context, argv, "retry", kHelp);
}

constexpr Verb kWorkflowSubVerbs[] = {
    {"submit", "", "submit the tasks in a file, all or none", submit_workflow},
    {"list", "", "list the latest workflows", list_workflows},
    {"show", "", "show a workflow as a tree with states", show_workflow},
    {"cancel", "", "cancel its tasks that have not ended", cancel_workflow},
    {"retry", "", "retry its tasks that failed or were cancelled", retry_workflow},
};

constexpr VerbFamily kWorkflowFamily = {
    .noun = "workflow",
    .paragraph = "Submits tasks together that run in the order of their dependencies.\n",
    .verbs = kWorkflowSubVerbs,
    .examples =
        "  taskctl workflow submit release.toml\n"
        "  taskctl workflow show 3\n"};

}  // namespace

int workflow_command(Context& context, const Words& argv) {
  return run_sub_verb(context, kWorkflowFamily, argv);
}

}  // namespace taskd::ctl
