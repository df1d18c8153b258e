#include "ctl/view/hook_view.h"

#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"
#include "ctl/options/when.h"
#include "ctl/view/table.h"
#include "daemon/base/text.h"
#include "wire/wire.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t kShownDeliveries = 10;

ShownHook read_hook(const json& object) {
  ShownHook hook;
  hook.name = object.at("name").get<std::string>();
  if (const json& url = object.at("url"); !url.is_null()) hook.target = url.get<std::string>();
  if (const json& command = object.at("command"); !command.is_null()) {
    for (const json& word : command)
      hook.target += (hook.target.empty() ? "" : " ") + shell_quote(word.get<std::string>());
  }
  for (const json& event : object.at("on"))
    hook.on += (hook.on.empty() ? "" : ",") + event.get<std::string>();
  hook.counts.pending = object.at("pending").get<std::int64_t>();
  hook.counts.failed = object.at("failed").get<std::int64_t>();
  if (const json& error = object.at("last_error"); !error.is_null()) {
    hook.counts.last_error = error.get<std::string>();
    hook.counts.last_error_at = parse_rfc3339(object.at("last_error_at").get<std::string>());
  }
  return hook;
}

std::string delivery_text(const Delivery& delivery, const Painter& paint, WallTime now) {
  std::string text =
      escape_for_humans(delivery.hook) + " of " + std::string(to_string(delivery.event)) + ": ";
  const std::string tries =
      std::to_string(delivery.tries) + (delivery.tries == 1 ? " try" : " tries");
  switch (delivery.state) {
    case DeliveryState::delivered:
      return text + "delivered" + (delivery.tries > 1 ? " after " + tries : "") +
             (delivery.done_at ? ", " + format_relative(*delivery.done_at, now) : "");
    case DeliveryState::failed:
      return text + paint(Color::red, "failed") + " after " + tries + ": " +
             escape_for_table(delivery.error);
    case DeliveryState::pending:
      break;
  }
  text += paint(Color::yellow, "pending");
  if (!delivery.next_at) text += ", after earlier ones";
  if (delivery.tries > 0 && delivery.next_at)
    text += ", " + tries + ", the next " + format_relative(*delivery.next_at, now);
  if (!delivery.error.empty()) text += ": " + escape_for_table(delivery.error);
  return text;
}

}  // namespace

std::vector<ShownHook> read_hooks(const json& answer) {
  try {
    std::vector<ShownHook> hooks;
    for (const json& item : answer.at("hooks")) hooks.push_back(read_hook(item));
    return hooks;
  } catch (const json::exception& e) {
    throw Failure(kExitBadAnswer,
                  std::string("this taskctl cannot read the daemon's hooks: ") + e.what());
  }
}

std::vector<Delivery> read_deliveries(const json& answer) {
  try {
    std::vector<Delivery> deliveries;
    for (const json& item : answer.at("deliveries")) deliveries.push_back(delivery_from_json(item));
    return deliveries;
  } catch (const std::exception& e) {
    throw Failure(kExitBadAnswer,
                  std::string("this taskctl cannot read the daemon's deliveries: ") + e.what());
  }
}

void print_hooks(Context& context, const Painter& paint, const std::vector<ShownHook>& hooks) {
  Table table({{"HOOK", false, true},
               {"ON", false, true, 3},
               {"PENDING", true, false, 1},
               {"FAILED", true, false},
               {"TARGET", false, true, 2},
               {"LAST ERROR", false, true}});
  for (const ShownHook& hook : hooks) {
    const HookCounts& counts = hook.counts;
    std::string error = escape_for_table(counts.last_error);
    if (counts.last_error_at)
      error = format_relative(*counts.last_error_at, context.clock.wall_now()) + ": " + error;
    table.add({{escape_for_humans(hook.name)},
               {escape_for_humans(hook.on)},
               {std::to_string(counts.pending)},
               {std::to_string(counts.failed), counts.failed > 0 ? Color::red : Color::none},
               {hook.target.empty() ? "-" : escape_for_humans(hook.target)},
               {error.empty() ? "-" : error, error.empty() ? Color::none : Color::yellow}});
  }
  const int width = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  context.out.write(table.render(static_cast<std::size_t>(width), paint));
}

void print_deliveries(Lines& lines, const Painter& paint, const std::vector<Delivery>& deliveries,
                      WallTime now) {
  const std::size_t skipped =
      deliveries.size() > kShownDeliveries ? deliveries.size() - kShownDeliveries : 0;
  if (skipped > 0) lines.add("told", "(" + std::to_string(skipped) + " earlier ones)");
  for (std::size_t i = skipped; i < deliveries.size(); ++i)
    lines.add("told", delivery_text(deliveries[i], paint, now));
}

}  // namespace taskd::ctl
