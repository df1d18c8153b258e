// The two seams, for the engine's tests: a clock that is set by hand and a launcher whose attempts
// end when the test says so. The store under them is the real one.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"
#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"
#include "tests/support/temp_dir.h"

namespace taskd::test {

class FakeClock final : public Clock {
 public:
  WallTime wall_now() const override {
    ++reads;
    reads.notify_all();
    return {wall_ms.load()};
  }
  BootTime boot_now() const override { return {boot_ms.load()}; }
  std::atomic<std::int64_t> wall_ms{1'700'000'000'000};
  std::atomic<std::int64_t> boot_ms{1'000'000};
  mutable std::atomic<int> reads{0};  // of the wall clock
};

// Attempts live until end() is called for their task.
class FakeLauncher final : public Launcher {
 public:
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
    return 0;
  }

  std::vector<std::int64_t> folder_groups() override { return {}; }
  FolderGroup list_group(std::int64_t) override { return {}; }
  std::int64_t remove_attempt(const AttemptId&) override { return 0; }

  // Ends the task's live attempt: its command never began.
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

  // Every launch ends at once like this.
  void refuse_with(AttemptEnd end) {
    const std::lock_guard lock(mutex_);
    refuse_ = std::move(end);
  }
  // What recover() finds on disk for a task; others are adopted.
  void record(TaskId task, Outcome outcome) {
    const std::lock_guard lock(mutex_);
    recorded_[task].outcome = std::move(outcome);
  }

 private:
  static constexpr int kNeverBegan = -1;

  class Live final : public LiveAttempt {
   public:
    // With the launcher's mutex held.
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

// A store in a folder of its own.
class StoreFixture {
 public:
  explicit StoreFixture(Machine has = {}, const std::filesystem::path& parent =
                                              std::filesystem::temp_directory_path())
      : machine(std::move(has)), folder_(parent) {
    open();
  }
  ~StoreFixture() { store.reset(); }
  void open() {
    store.reset();
    StoreOptions options;
    options.path = folder_ / "taskd.db";
    options.boot_id = "boot";
    options.ballast_bytes = 4096;
    options.machine = machine;
    options.clock = &clock;
    options.commit_budget_us = 60'000'000;  // on a slow machine, too, no commit gives way
    options.on_commit = [this](std::span<const Change> changes) {
      if (on_commit) on_commit(changes);
    };
    options.idle_workers = [this](int at_most) { return idle_workers ? idle_workers(at_most) : 0; };
    options.on_claims = [this](std::optional<Claims> claims) { on_claims(std::move(claims)); };
    options.on_fatal = [](const std::string&) { std::abort(); };
    store = TaskStore::open(options);
  }
  TaskId submit(NewTask task = {}) {
    if (task.spec.argv.empty() && task.spec.handler.empty()) task.spec.argv = {"true"};
    SubmitRequest request;
    request.actor = kActor;
    request.tasks.push_back(std::move(task));
    return std::get<Submitted>(store->submit(request)).ids.front();
  }
  void cancel(TaskId id) {
    store->control({.actor = kActor, .verb = Verb::cancel, .ids = {id}, .filter = {}});
  }
  Task get(TaskId id) { return store->get(kActor, id).value(); }
  const std::string& folder() const { return folder_.path(); }

  static constexpr Actor kActor{0, true};
  FakeClock clock;
  Machine machine;
  std::function<void(std::span<const Change>)> on_commit;  // set before the first write
  std::function<int(int)> idle_workers;                    // as well; with both or without
  std::function<void(std::optional<Claims>)> on_claims;
  std::unique_ptr<TaskStore> store;

 private:
  TempDir folder_;
};

}  // namespace taskd::test
