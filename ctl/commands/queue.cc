#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/commands/sub_verbs.h"
#include "ctl/options/default_options.h"
#include "ctl/options/flag_values.h"
#include "ctl/options/submit_options.h"
#include "ctl/view/queue_view.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

constexpr char kQueuePath[] = "/v1/queues/";

// --- showing ------------------------------------------------------------------------------------

int list_queues(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS]",
      .paragraph =
          R"(Lists the queues. RUNNING has the limit after a slash, OTHERS are the tasks that are
scheduled, blocked or held, RATE is how many may start per time.)",
      .examples = R"(  taskctl queue list
  taskctl queue list --json | jq -r '.queues[] | select(.paused) | .name'
)"};
  CommonOptions common;
  bool as_json = false;
  Args args("queue list", kHelp);
  args.flag("--json", as_json, "{\"version\":1,\"queues\":[…],\"next_cursor\":null}");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Painter paint = make_painter(context, common);
  json answer = connect(context, common).get("/v1/queues");
  std::vector<QueueInfo> queues;
  for (const json& item : answer.value("queues", json::array())) queues.push_back(read_queue(item));
  if (as_json)
    print_document(context, std::move(answer));
  else
    print_queues(context, paint, queues);
  return kExitOk;
}

int show_queue(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph = R"(Shows a queue: whether it is paused or draining, its tasks, its limits.)",
      .examples = R"(  taskctl queue show mail
  taskctl queue show mail --json | jq .counts.queued
)"};
  Args args("queue show", kHelp);
  NamedArgs asked(args, "queue", /*changes=*/false);
  if (!args.parse(argv, context.out)) return kExitOk;

  const std::string target = kQueuePath + asked.name();
  const Painter paint = make_painter(context, asked.common);
  json answer = connect(context, asked.common).get(target);
  if (asked.as_json)
    print_document(context, std::move(answer));
  else
    print_queue(context, paint, read_queue(answer));
  return kExitOk;
}

// --- changing -----------------------------------------------------------------------------------

struct SettingOptions {
  std::optional<std::string> capacity, concurrency, rate, weight;
  std::vector<std::string> notify, defaults, no_defaults;

  void declare(Args& args) {
    args.option("--capacity", "N", capacity, "how many tasks may wait in it; 0 = none");
    args.option("--concurrency", "N", concurrency,
                "how many may run at once, or none for no limit");
    args.option("--rate", "N/TIME", rate,
                "how many may start per interval, such as 10/1m or\n"
                "5/s; none for no limit");
    args.option("--weight", "N", weight,
                "its share of the workers relative to other\n"
                "queues, 1 to 1000");
    args.list("--notify", "HOOK", notify,
              "notify this hook of its tasks: NAME, or\n"
              "NAME:failed,succeeded for only those events;\n"
              "may be repeated; none for no hook");
    args.list("--default", "NAME=VALUE", defaults,
              "a default for its tasks: an option of submit, such\n"
              "as timeout=10m; may be repeated");
    args.list("--no-default", "NAME", no_defaults, "… remove that default");
  }
  json to_body(Context& context) const {
    json body = json::object();
    if (capacity) body["capacity"] = whole_number_flag("--capacity", *capacity);
    if (concurrency) body["concurrency"] = limit_flag("--concurrency", *concurrency);
    if (rate) body["rate"] = rate_flag("--rate", *rate);
    if (weight) body["weight"] = whole_number_flag("--weight", *weight);
    if (notify == std::vector<std::string>{"none"})
      body["notify"] = json::array();
    else if (!notify.empty())
      for (const std::string& hook : notify) body["notify"].push_back(checked("--notify", hook));
    if (!defaults.empty() || !no_defaults.empty())
      body["defaults"] = defaults_patch(context, defaults, no_defaults);
    return body;
  }
};

int set_queue(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Changes the limits that are given and leaves the others; a queue that does not exist is
created. A limit never stops or drops tasks that already run or wait. What taskctl.toml
says about a queue is set again when the daemon starts.)",
      .examples = R"(  taskctl queue set mail                          # make it, without limits
  taskctl queue set mail --rate 10/1m             # ten starts a minute
  taskctl queue set gpu --concurrency 1           # one at a time
  taskctl queue set gpu --concurrency none        # as many as there are workers
  taskctl queue set urgent --weight 5             # five turns for one of the others
  taskctl queue set mail --notify chat:failed     # tell a hook of tasks that fail
  taskctl queue set mail --default timeout=10m --default max-attempts=5
)"};
  SettingOptions settings;
  Args args("queue set", kHelp);
  settings.declare(args);
  NamedArgs asked(args, "queue", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;

  const std::string& name = asked.name();
  const json body = settings.to_body(context);
  const Client client = connect(context, asked.common);
  const std::string target = kQueuePath + name;
  json answer;
  const char* done = " set";
  try {
    answer = ask(client, "PATCH", target, body);
  } catch (const Refused& e) {
    if (e.problem.code != "no_such_queue") throw;
    answer = ask(client, "PUT", target, body);
    done = " created";
  }
  asked.say_done(context, std::move(answer), done);
  return kExitOk;
}

// pause, resume and drain: one request; `done` describes the result.
int control(Context& context, const NamedArgs& asked, const std::string& verb, const json& body,
            std::string (*done)(const QueueInfo&)) {
  const std::string& name = asked.name();
  json answer = connect(context, asked.common).post(kQueuePath + name + "/" + verb, body);
  const QueueInfo queue = read_queue(answer);
  asked.say_done(context, std::move(answer), done(queue));
  return kExitOk;
}

int pause_queue(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Starts nothing from the queue until it is resumed. Running tasks continue, and the
queue still takes tasks.)",
      .examples = R"(  taskctl queue pause mail --reason 'relay is down until 14:00'
)"};
  std::optional<std::string> reason;
  Args args("queue pause", kHelp);
  args.option("--reason", "TEXT", reason, "the reason, shown to other users");
  NamedArgs asked(args, "queue", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;
  if (reason && !is_valid_utf8(*reason))
    throw UsageError(kExitBadData, "--reason is not UTF-8 and cannot be sent");
  const json body = reason ? json{{"reason", *reason}} : json::object();
  return control(context, asked, "pause", body, [](const QueueInfo& queue) {
    return " paused; " + std::to_string(queue.count(State::running)) + " running " +
           (queue.count(State::running) == 1 ? "task continues" : "tasks continue");
  });
}

int resume_queue(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph = R"(Ends a pause, and a drain too: the queue starts tasks and takes new ones.)",
      .examples = R"(  taskctl queue resume mail
)"};
  Args args("queue resume", kHelp);
  NamedArgs asked(args, "queue", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;
  return control(context, asked, "resume", json::object(),
                 [](const QueueInfo&) { return std::string(" resumed"); });
}

int drain_queue(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Takes no new tasks into the queue until it is resumed, and runs those it has. Submits
and retries exit with 75.)",
      .examples = R"(  taskctl queue drain mail
  taskctl wait --queue mail                # until it is empty
)"};
  Args args("queue drain", kHelp);
  NamedArgs asked(args, "queue", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;
  return control(context, asked, "drain", json::object(), [](const QueueInfo& queue) {
    return " is draining; " + std::to_string(queue.count(State::running)) + " running and " +
           std::to_string(queue.waiting()) + " waiting are left";
  });
}

int remove_queue(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Removes a queue that has no tasks, not even ended ones, and to which no schedule submits.
The queue default stays, and one that taskctl.toml names is created again at the next
start.)",
      .examples = R"(  taskctl queue drain mail && taskctl wait --queue mail
  taskctl rm --queue mail                  # its ended tasks and their output
  taskctl queue rm mail
)"};
  Args args("queue rm", kHelp);
  NamedArgs asked(args, "queue", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;
  const std::string& name = asked.name();
  json answer = ask_to_remove(connect(context, asked.common), kQueuePath + name);
  asked.say_done(context, std::move(answer), " removed");
  return kExitOk;
}

constexpr Verb kQueueSubVerbs[] = {
    {"list", "", "list queues and their limits", list_queues},
    {"show", "", "show one queue in detail", show_queue},
    {"set", "", "create a queue, or change its limits", set_queue},
    {"pause", "", "start no more tasks from it", pause_queue},
    {"resume", "", "end a pause or a drain", resume_queue},
    {"drain", "", "take no new tasks, run the waiting ones", drain_queue},
    {"rm", "", "remove a queue without tasks", remove_queue},
};

constexpr VerbFamily kQueueFamily = {
    .noun = "queue",
    .paragraph =
        "Shows queues and sets their limits. Everybody may see them; only root and the user who\n"
        "runs the daemon may change them.\n",
    .verbs = kQueueSubVerbs,
    .examples =
        "  taskctl queue list\n"
        "  taskctl queue set mail --rate 10/1m --concurrency 2\n"
        "  taskctl queue pause mail --reason 'relay is down'\n"};

}  // namespace

int queue_command(Context& context, const Words& argv) {
  return run_sub_verb(context, kQueueFamily, argv);
}

}  // namespace taskd::ctl
