// Hooks, and what they were told, as people read them.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/view/lines.h"
#include "daemon/task/delivery.h"

namespace taskd::ctl {

struct ShownHook {
  std::string name;
  std::string target;  // the command or the address; "" = not told to this user
  std::string on;      // "failed,succeeded"
  HookCounts counts;
};

// The hooks of GET /v1/hooks, or Failure (76).
std::vector<ShownHook> read_hooks(const nlohmann::json& answer);
// The deliveries of GET …/deliveries, or Failure (76).
std::vector<Delivery> read_deliveries(const nlohmann::json& answer);

// A line each.
void print_hooks(Context& context, const Painter& paint, const std::vector<ShownHook>& hooks);
// Under a task: a line each, of many the last ten.
void print_deliveries(Lines& lines, const Painter& paint, const std::vector<Delivery>& deliveries,
                      WallTime now);

}  // namespace taskd::ctl
