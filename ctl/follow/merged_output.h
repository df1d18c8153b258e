// Both streams of an attempt in the order in which they were written, as far as the daemon knows
// it. Used by one thread.
#pragma once

#include <cstdint>

#include "ctl/follow/follow.h"
#include "ctl/net/client.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

// Bytes dropped from each stream.
struct Dropped {
  std::int64_t out_bytes = 0;
  std::int64_t err_bytes = 0;
};

// Passes all output to the sinks, piece by piece. If only one stream was written, or the order is
// unknown, stdout comes first. Throws Failure as Client does.
Dropped fetch_merged(const Client& client, TaskId task, int attempt, const ByteSink& out,
                     const ByteSink& err);

}  // namespace taskd::ctl
