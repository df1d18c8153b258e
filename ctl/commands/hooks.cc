#include <nlohmann/json.hpp>

#include "ctl/commands/sub_verbs.h"
#include "ctl/options/when.h"
#include "ctl/view/hook_view.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

constexpr int kTestMs = 660'000;  // longer than any hook's timeout

int list_hooks(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS]",
      .paragraph =
          R"(Lists the hooks that taskctl.toml declares: the events each gets by default, how many
deliveries wait, how many were given up, and their latest error. Only root and the user
whose daemon it is see the command or address.)",
      .examples = R"(  taskctl hooks
  taskctl hooks --json | jq '.hooks[] | select(.failed > 0) | .name'
)"};
  CommonOptions common;
  bool as_json = false;
  Args args("hooks list", kHelp);
  args.flag("--json", as_json, "{\"version\":1,\"hooks\":[…],\"next_cursor\":null}");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Painter paint = make_painter(context, common);
  json answer = connect(context, common).get("/v1/hooks");
  if (as_json) {
    print_document(context, std::move(answer));
    return kExitOk;
  }
  const std::vector<ShownHook> hooks = read_hooks(answer);
  if (hooks.empty())
    context.say("no hook is declared; see [hooks.NAME] in taskctl.toml(5)");
  else
    print_hooks(context, paint, hooks);
  return kExitOk;
}

int test_hook(Context& context, const Words& argv) {
  static constexpr HelpText kHelp{
      .usage = "[OPTIONS] NAME",
      .paragraph =
          R"(Sends a hook the event "test" once, now, and shows the outcome, with what a command
wrote to its stderr. For root and the user whose daemon it is. Exits with 1 if the hook
did not take it.)",
      .examples = R"(  taskctl hooks test mail
)"};
  Args args("hooks test", kHelp);
  NamedArgs asked(args, "hook", /*changes=*/true);
  if (!args.parse(argv, context.out)) return kExitOk;

  const std::string& name = asked.name();
  const Client client = connect(context, asked.common, kTestMs);
  json answer = client.post("/v1/hooks/" + name + "/test", json::object());
  const bool delivered = answer.value("delivered", false);
  const json error = answer.value("error", json());
  const std::string said = answer.value("stderr", "");
  const std::string took = " (" + format_span(answer.value("took_ms", std::int64_t{0})) + ")";
  if (!said.empty() && !asked.quiet) context.say("it wrote: " + escape_for_humans(said));
  asked.say_done(context, std::move(answer),
                 delivered ? " took it" + took
                           : " refused it" + took + ": " +
                                 escape_for_table(error.is_string() ? error.get<std::string>()
                                                                    : "no reason given"));
  return delivered ? kExitOk : kExitSomeFailed;
}

constexpr Verb kHooksSubVerbs[] = {
    {"list", "", "list hooks and their pending deliveries", list_hooks},
    {"test", "", "send one a test event", test_hook},
};

constexpr VerbFamily kHooksFamily = {
    .noun = "hooks",
    .paragraph =
        "Shows the hooks that notify people and programs about tasks. They are declared in\n"
        "taskctl.toml; `submit --notify` and `queue set --notify` name them. Without a verb it\n"
        "lists them.\n",
    .verbs = kHooksSubVerbs,
    .examples =
        "  taskctl hooks\n"
        "  taskctl hooks test mail\n"
        "  taskctl submit --notify mail -- ./report.sh\n"};

}  // namespace

int hooks_command(Context& context, const Words& argv) {
  const Words words = verb_first(argv);
  const bool has_verb = !words.empty() && !words[0].starts_with('-');
  const bool wants_help = !words.empty() && (words[0] == "--help" || words[0] == "-h");
  return has_verb || wants_help ? run_sub_verb(context, kHooksFamily, argv)
                                : list_hooks(context, argv);
}

}  // namespace taskd::ctl
