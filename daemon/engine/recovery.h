// What a starting daemon does with the tasks the store says are running: nothing is assumed dead
// or alive without the kernel's evidence (see Launcher::recover).
#pragma once

#include <memory>
#include <vector>

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

// An attempt that outlived the daemon before us, or of which something may.
struct Adopted {
  Claim claim;
  std::unique_ptr<LiveAttempt> live;
};

struct Recovery {
  std::vector<Adopted> adopted;
  int ended = 0;        // their end was on disk and is recorded now
  int not_started = 0;  // its lock file proves that the command never began
  int lost = 0;         // with an earlier boot of the machine
};

// Call once, under the instance lock, before serving or claiming. What it counts is durable when it
// returns. Waits for no process: what an attempt without its shim left is among the adopted ones,
// and the worker that gets it ends it. Until then its task is running, so no attempt starts beside.
Recovery recover(TaskStore& store, Launcher& launcher);

}  // namespace taskd
