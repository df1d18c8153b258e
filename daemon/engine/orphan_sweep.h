// Finds and removes files of tasks that no longer exist, left by a crash between the COMMIT of a
// removal and the removal of the files.
//
// Makes one pass over the folders, in steps small enough to fit between other work. Folders are
// created only for existing tasks, and ids are never reused: a folder whose task is not in the
// store belongs to a removed task. Used by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

class OrphanSweep {
 public:
  // Both must outlive this object.
  OrphanSweep(TaskStore& store, Launcher& launcher) : store_(store), launcher_(launcher) {}

  bool done() const { return groups_ && groups_->empty(); }

  // Examines one more group of folders; the first step lists the groups. An error is logged and
  // ends the sweep, because cleaning up must not stop the daemon.
  void step();

 private:
  void advance();
  void sweep(const FolderGroup& folders);

  TaskStore& store_;
  Launcher& launcher_;
  std::optional<std::vector<std::int64_t>> groups_;  // not examined yet
  TaskId newest_ = 0;  // the highest id when the sweep began; it ignores later tasks
  int removed_ = 0;
};

}  // namespace taskd
