// Shows queues.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "ctl/base/context.h"
#include "daemon/limits/queue.h"

namespace taskd::ctl {

// Parses a queue from an API answer, or throws Failure (76).
QueueInfo read_queue(const nlohmann::json& json);

// One line per queue.
void print_queues(Context& context, const Painter& paint, const std::vector<QueueInfo>& queues);
// One queue in detail.
void print_queue(Context& context, const Painter& paint, const QueueInfo& queue);

}  // namespace taskd::ctl
