// Finds the files of tasks that do not exist any more and removes them: what a crash left between
// the COMMIT of a removal and the removal of the files.
//
// One pass over the folders, in steps that are small enough to be done between other work. A folder
// is made only for a task that exists, and ids are never reused: who has a folder and then is not
// found in the store was removed. Used by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

class OrphanSweep {
 public:
  // Owns neither.
  OrphanSweep(TaskStore& store, Launcher& launcher) : store_(store), launcher_(launcher) {}

  bool done() const { return groups_ && groups_->empty(); }

  // Looks at one more group of folders; the first step finds out which groups there are. An error
  // is logged and ends the sweep: cleaning up is no reason to stop.
  void step();

 private:
  void advance();
  void sweep(const FolderGroup& folders);

  TaskStore& store_;
  Launcher& launcher_;
  std::optional<std::vector<std::int64_t>> groups_;  // still to be looked at
  TaskId newest_ = 0;  // when it began: what has a higher id is none of its business
  int removed_ = 0;
};

}  // namespace taskd
