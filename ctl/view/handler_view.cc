#include "ctl/view/handler_view.h"

#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"
#include "ctl/base/users.h"
#include "ctl/options/default_options.h"
#include "ctl/view/table.h"
#include "ctl/view/width.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t kShownColumns = 400;

}  // namespace

void print_handlers(Context& context, const Painter& paint, const json& answer) {
  Table table({{"HANDLER", false, true},
               {"PROGRAM", false, true},
               {"USER", false, false, 1},
               {"DEFAULTS", false, true, 2}});
  try {
    for (const json& handler : answer.at("handlers")) {
      const json& user = handler.at("user");
      const std::string defaults = describe_defaults(handler.at("defaults"));
      table.add({{escape_for_humans(handler.at("name").get<std::string>())},
                 {escape_for_humans(handler.at("program").get<std::string>())},
                 {user.is_null() ? "-" : short_user(user.get<std::uint32_t>())},
                 {defaults.empty() ? "-" : escape_for_humans(defaults)}});
    }
  } catch (const json::exception& e) {
    throw Failure(kExitBadAnswer, std::string("this taskctl cannot read the daemon's handlers: ") +
                                      escape_for_humans(e.what()));
  }
  const int width = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  context.out.write(table.render(static_cast<std::size_t>(width), paint));
}

void add_handler(Lines& lines, const TaskSpec& spec) {
  lines.add("handler", escape_for_humans(spec.handler));
  const std::string payload = escape_for_humans(spec.payload.empty() ? "null" : spec.payload);
  std::string shown = fit(payload, kShownColumns);
  if (shown != payload)
    shown += " (" + std::to_string(spec.payload.size()) + " bytes; --json shows all of it)";
  lines.add("payload", shown);
}

}  // namespace taskd::ctl
