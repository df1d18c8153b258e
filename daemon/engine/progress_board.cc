#include "daemon/engine/progress_board.h"

#include <utility>
#include <vector>

#include "daemon/base/log.h"

namespace taskd {
namespace {

constexpr std::int64_t kBetweenWritesMs = 1000;

void add(ProgressReport& report, const Progress& later, WallTime at) {
  if (later.percent) report.progress.percent = later.percent;
  if (later.message) report.progress.message = later.message;
  report.at = at;
}

}  // namespace

ProgressBoard::ProgressBoard(TaskStore& store, const Clock& clock,
                             std::function<void(const std::string&)> on_fatal)
    : store_(store), clock_(clock), on_fatal_(std::move(on_fatal)) {}

ProgressBoard::~ProgressBoard() {
  stop();
}

void ProgressBoard::start() {
  thread_ = std::thread([this] { run(); });
}

void ProgressBoard::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool ProgressBoard::report(const AttemptKey& attempt, const Progress& progress) {
  if (!store_.is_running(attempt)) return false;
  const WallTime at = clock_.wall_now();
  const MutexLock lock(mutex_);
  if (const auto heard = heard_.find(attempt.task); heard != heard_.end()) {
    heard->second = clock_.boot_now();
  }
  const auto [entry, is_new] = unwritten_.try_emplace(attempt.task);
  ProgressReport& report = entry->second;
  if (report.attempt.attempt != attempt.attempt) report = {attempt, {}, at};
  add(report, progress, at);
  if (is_new) changed_.notify_one();
  return true;
}

void ProgressBoard::watch(TaskId task) {
  const MutexLock lock(mutex_);
  heard_[task] = clock_.boot_now();
}

void ProgressBoard::unwatch(TaskId task) {
  const MutexLock lock(mutex_);
  heard_.erase(task);
}

BootTime ProgressBoard::last_heard(TaskId task) const {
  const MutexLock lock(mutex_);
  return heard_.at(task);
}

void ProgressBoard::run() {
  try {
    for (;;) {
      {
        const MutexLock lock(mutex_);
        while (unwritten_.empty() && !stopping_) changed_.wait(mutex_);
        if (unwritten_.empty()) return;
      }
      write();
      // The next ones gather meanwhile.
      const BootTime until = clock_.boot_now() + kBetweenWritesMs;
      const MutexLock lock(mutex_);
      while (!stopping_) {
        const std::int64_t left_ms = until - clock_.boot_now();
        if (left_ms <= 0) break;
        changed_.wait_for(mutex_, left_ms);
      }
    }
  } catch (const std::exception& e) {
    on_fatal_(std::string("progress cannot be written any more: ") + e.what());
  }
}

void ProgressBoard::write() {
  std::vector<ProgressReport> reports;
  {
    const MutexLock lock(mutex_);
    for (auto& [task, report] : std::exchange(unwritten_, {})) reports.push_back(std::move(report));
  }
  try {
    store_.write_progress(reports);
  } catch (const StoreUnavailable& e) {
    log::warn("progress is not written", {{"reports", reports.size()}, {"error", e.what()}});
  }
}

}  // namespace taskd
