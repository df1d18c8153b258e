// Queues as people read them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "ctl/base/context.h"
#include "daemon/limits/queue.h"

namespace taskd::ctl {

// A queue as the API answers it, or Failure (76).
QueueInfo read_queue(const nlohmann::json& json);

// A line each.
void print_queues(Context& context, const Painter& paint, const std::vector<QueueInfo>& queues);
// All about one.
void print_queue(Context& context, const Painter& paint, const QueueInfo& queue);

}  // namespace taskd::ctl
