// A launcher whose attempts end when the test ends them. Records what it was asked to do.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "daemon/process/launcher.h"

namespace taskd::test {

// Attempts live until end() is called for their task.
class FakeLauncher final : public Launcher {
 public:
  static constexpr std::int64_t kBytesOfEach = 4096;  // freed by a removed task

  std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> launch(const Launch& launch) override {
    const std::lock_guard lock(mutex_);
    started_.push_back(launch);
    changed_.notify_all();
    if (refuse_) return *refuse_;
    return std::make_unique<Live>(*this, launch.task);
  }

  std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> recover(const Launch& launch,
                                                                 const std::string&) override {
    const std::lock_guard lock(mutex_);
    if (const auto it = recorded_.find(launch.task); it != recorded_.end()) return it->second;
    return std::make_unique<Live>(*this, launch.task);
  }

  void cleanup_attempt(TaskId task, int) override {
    if (on_cleanup) on_cleanup(task);
    const std::lock_guard lock(mutex_);
    cleaned_.push_back(task);
    changed_.notify_all();
  }

  std::int64_t remove_task(TaskId task, int) override {
    const std::lock_guard lock(mutex_);
    removed_.push_back(task);
    return kBytesOfEach;
  }

  std::vector<std::int64_t> folder_groups() override { return {}; }
  FolderGroup list_group(std::int64_t) override { return {}; }
  std::int64_t remove_attempt(const AttemptId&) override { return 0; }

  // Ends the task's live attempt as if its command never began.
  void end_before_start(TaskId task) { end(task, kNeverBegan); }
  // Ends the task's live attempt with `code`.
  void end(TaskId task, int code) {
    const std::lock_guard lock(mutex_);
    codes_[task] = code;
    live_.erase(task);
    raise(events_.at(task));
  }
  // Tasks with an attempt that was neither ended nor stopped.
  std::vector<TaskId> live() const {
    const std::lock_guard lock(mutex_);
    return {live_.begin(), live_.end()};
  }

  void wait_until_started(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return started_.size() >= count; });
  }
  void wait_until_cleaned(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return cleaned_.size() >= count; });
  }
  void wait_until_stopped(TaskId task) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_.contains(task); });
  }

  std::vector<Launch> started() const {
    const std::lock_guard lock(mutex_);
    return started_;
  }
  std::vector<int> signals() const {
    const std::lock_guard lock(mutex_);
    return signals_;
  }
  std::vector<TaskId> removed() const {
    const std::lock_guard lock(mutex_);
    return removed_;
  }

  // Called in cleanup_attempt(), without the launcher's mutex.
  std::function<void(TaskId)> on_cleanup;

  // Makes every launch end at once with this.
  void refuse_with(AttemptEnd end) {
    const std::lock_guard lock(mutex_);
    refuse_ = std::move(end);
  }
  // Sets the end that recover() finds on disk for a task; others are adopted.
  void record(TaskId task, Outcome outcome) {
    const std::lock_guard lock(mutex_);
    recorded_[task].outcome = std::move(outcome);
  }

 private:
  static constexpr int kNeverBegan = -1;

  class Live final : public LiveAttempt {
   public:
    // Requires the launcher's mutex.
    Live(FakeLauncher& launcher, TaskId task)
        : launcher_(launcher), task_(task), event_(::eventfd(0, EFD_CLOEXEC)) {
      launcher_.events_[task] = event_.get();
      launcher_.live_.insert(task);
      launcher_.codes_.erase(task);
      launcher_.stopped_.erase(task);
      launcher_.stalled_.erase(task);
    }
    int pidfd() const override { return event_.get(); }
    void stop() override {
      const std::lock_guard lock(launcher_.mutex_);
      launcher_.stopped_[task_] = true;
      launcher_.live_.erase(task_);
      raise(event_.get());
      launcher_.changed_.notify_all();
    }
    void wake() override {}
    void stop_stalled() override {
      const std::lock_guard lock(launcher_.mutex_);
      launcher_.stalled_[task_] = true;
      launcher_.live_.erase(task_);
      raise(event_.get());
    }
    bool signal(int number) override {
      const std::lock_guard lock(launcher_.mutex_);
      if (number != 0) launcher_.signals_.push_back(number);
      return true;
    }
    AttemptEnd reap() override {
      const std::lock_guard lock(launcher_.mutex_);
      AttemptEnd end;
      const auto code = launcher_.codes_.find(task_);
      if (code != launcher_.codes_.end() && code->second == kNeverBegan) {
        end.outcome = {OutcomeKind::not_started, 0, ""};
      } else if (launcher_.stalled_.contains(task_)) {
        end.outcome = {OutcomeKind::timed_out, 0, "no progress"};
      } else if (launcher_.stopped_.contains(task_)) {
        end.outcome = {OutcomeKind::cancelled, 0, ""};
      } else {
        end.outcome = {OutcomeKind::exited, code->second, ""};
      }
      return end;
    }

   private:
    FakeLauncher& launcher_;
    const TaskId task_;
    const UniqueFd event_;
  };

  static void raise(int fd) {
    const std::uint64_t one = 1;
    if (::write(fd, &one, sizeof one) != sizeof one) std::abort();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Launch> started_;
  std::vector<TaskId> cleaned_;
  std::vector<TaskId> removed_;
  std::map<TaskId, int> events_;
  std::set<TaskId> live_;
  std::map<TaskId, int> codes_;
  std::map<TaskId, bool> stopped_;
  std::map<TaskId, bool> stalled_;
  std::vector<int> signals_;
  std::map<TaskId, AttemptEnd> recorded_;
  std::optional<AttemptEnd> refuse_;
};

}  // namespace taskd::test
