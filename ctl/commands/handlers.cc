#include <nlohmann/json.hpp>

#include "ctl/commands/sub_verbs.h"
#include "ctl/view/handler_view.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kHandlersHelp{
    .usage = "[OPTIONS]",
    .paragraph =
        R"(Lists the handlers that taskctl.toml declares: the program behind each name, the user it
runs as (- is the submitter), and the options that a submit gets by default.)",
    .examples = R"(  taskctl handlers
  taskctl submit --handler send_email --payload '{"to":"x@example.org"}'
  taskctl handlers --json | jq -r '.handlers[].name'
)"};

}  // namespace

int handlers_command(Context& context, const Words& argv) {
  CommonOptions common;
  bool as_json = false;
  Args args("handlers", kHandlersHelp);
  args.flag("--json", as_json, "{\"version\":1,\"handlers\":[…],\"next_cursor\":null}");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Painter paint = make_painter(context, common);
  nlohmann::json answer = connect(context, common).get("/v1/handlers");
  const bool none = answer.value("handlers", nlohmann::json::array()).empty();
  if (as_json) {
    print_document(context, std::move(answer));
  } else if (none) {
    context.say("no handler is declared; see [handlers.NAME] in taskctl.toml(5)");
  } else {
    print_handlers(context, paint, answer);
  }
  return kExitOk;
}

}  // namespace taskd::ctl
