// What a starting daemon does with the tasks the store says are running: nothing is assumed dead
// or alive without the kernel's evidence (see Launcher::recover).
#pragma once

#include <memory>
#include <vector>

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

// An attempt that outlived the daemon before us.
struct Adopted {
  Claim claim;
  std::unique_ptr<LiveAttempt> live;
};

struct Recovery {
  std::vector<Adopted> adopted;
  int ended = 0;        // their end was on disk and is recorded now
  int not_started = 0;  // claimed, but the command never began
  int lost = 0;
};

// Call once, under the instance lock, before serving or claiming. Durable when it returns.
Recovery recover(TaskStore& store, Launcher& launcher);

}  // namespace taskd
