// Shows hooks and their deliveries.
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
  std::string target;  // the command or the address; "" = hidden from this user
  std::string on;      // "failed,succeeded"
  HookCounts counts;
};

// Parses the answer of GET /v1/hooks, or throws Failure (76).
std::vector<ShownHook> read_hooks(const nlohmann::json& answer);
// Parses the answer of GET …/deliveries, or throws Failure (76).
std::vector<Delivery> read_deliveries(const nlohmann::json& answer);

// One line per hook.
void print_hooks(Context& context, const Painter& paint, const std::vector<ShownHook>& hooks);
// For a task: one line per delivery, at most the last ten.
void print_deliveries(Lines& lines, const Painter& paint, const std::vector<Delivery>& deliveries,
                      WallTime now);

}  // namespace taskd::ctl
