// What a starting daemon does with tasks that the store lists as running. It assumes nothing about
// them without evidence from the kernel (see Launcher::recover).
#pragma once

#include <memory>
#include <vector>

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

// An attempt that outlived the previous daemon, or that may have left processes.
struct Adopted {
  Claim claim;
  std::unique_ptr<LiveAttempt> live;
};

struct Recovery {
  std::vector<Adopted> adopted;
  int ended = 0;        // their end was on disk and is now recorded
  int not_started = 0;  // their lock file proves that the command never began
  int lost = 0;         // they belonged to an earlier boot
};

// Call once, under the instance lock, before serving or claiming. The ends it counts are durable
// when it returns. Does not wait for processes: an attempt that lost its shim is adopted, and the
// worker that gets it ends what is left. Until then its task stays running, so no second attempt
// starts beside it.
Recovery recover(TaskStore& store, Launcher& launcher);

}  // namespace taskd
