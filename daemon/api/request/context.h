// What the routes need.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/trusted_clock.h"
#include "daemon/engine/progress_board.h"
#include "daemon/engine/running_set.h"
#include "daemon/engine/task_watch.h"
#include "daemon/process/launcher.h"
#include "daemon/process/user.h"
#include "daemon/store/task_store.h"
#include "daemon/task/handler.h"

namespace taskd {

class Notifier;

struct WorkerCounts {
  int total = 0;
  int busy = 0;
};

// Everything here outlives the server. `attempts_dir` exists.
struct ApiContext {
  TaskStore& store;
  TaskWatch& watch;
  Launcher& launcher;       // removes the files of deleted tasks
  ProgressBoard& progress;  // receives job reports
  RunningSet& running;      // delivers signals
  const Clock& clock;
  std::string attempts_dir;
  std::string version;
  WallTime started_at;
  std::function<WorkerCounts()> workers;
  Notifier* notifier = nullptr;        // null if no hooks are declared
  Machine machine = {};                // what tasks may ask for
  const Handlers* handlers = nullptr;  // null if none are declared
  std::shared_ptr<UserNames> user_names = std::make_shared<UserNames>(clock);
  const TrustedClock* age_clock = nullptr;  // null: trusts the wall clock
};

}  // namespace taskd
