// The file that tells a job what became of the tasks it depended on. TASKD_DEPENDENCIES_FILE is an
// array of {"id", "state", "step" (in the same workflow), "result" (null where it left none)}, in
// the order in which they were named; those that were removed since are missing.
#pragma once

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

// For a claim that has dependencies. Written from the store piece by piece, since a thousand
// results may be large. Both outlive the file.
JobFile dependencies_file(TaskStore& store, const Claim& claim);

}  // namespace taskd
