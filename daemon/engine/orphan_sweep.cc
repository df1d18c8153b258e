#include "daemon/engine/orphan_sweep.h"

#include <algorithm>

#include "daemon/base/log.h"

namespace taskd {

void OrphanSweep::step() {
  try {
    advance();
  } catch (const std::exception& e) {
    log::warn("files of removed tasks are not looked for until the next start",
              {{"error", e.what()}});
    groups_.emplace();
  }
}

void OrphanSweep::advance() {
  if (!groups_) {
    newest_ = store_.newest_id();
    groups_ = launcher_.folder_groups();
    return;
  }
  if (groups_->empty()) return;
  sweep(launcher_.list_group(groups_->back()));
  groups_->pop_back();
  if (groups_->empty() && removed_ > 0) {
    log::info("files of removed tasks found and removed", {{"attempts", removed_}});
  }
}

// The folders were listed before the store is asked: see the top of the header.
void OrphanSweep::sweep(const FolderGroup& folders) {
  if (folders.attempts.empty()) return;
  const std::vector<TaskId> existing = store_.ids_between(folders.first, folders.last);
  for (const AttemptId& attempt : folders.attempts) {
    if (attempt.task > newest_ || std::ranges::binary_search(existing, attempt.task)) continue;
    launcher_.remove_attempt(attempt);
    ++removed_;
  }
}

}  // namespace taskd
