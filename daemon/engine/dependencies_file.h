// The file that tells a job how its dependencies ended. TASKD_DEPENDENCIES_FILE holds an array of
// {"id", "state", "step" (if in the same workflow), "result" (null without one)}, in the order in
// which they were named. Dependencies removed in the meantime are missing.
#pragma once

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

// For a claim with dependencies. Written from the store piece by piece, since a thousand results
// may be large. `store` and `claim` must outlive the file.
JobFile dependencies_file(TaskStore& store, const Claim& claim);

}  // namespace taskd
