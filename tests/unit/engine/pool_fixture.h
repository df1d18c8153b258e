// A worker pool on a real store, whose attempts end when the test says so.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

#include "daemon/engine/running_set.h"
#include "daemon/engine/worker_pool.h"
#include "tests/unit/engine/store_fixture.h"

namespace taskd::test {

struct PoolFixture : StoreFixture {
  explicit PoolFixture(int workers, Machine has = {},
                       const std::filesystem::path& parent = std::filesystem::temp_directory_path())
      : StoreFixture(std::move(has), parent),
        progress(*store, clock, [](const std::string&) { std::abort(); }),
        pool(*store, launcher, running, clock, progress, handlers, workers,
             [](const std::string&) { std::abort(); }) {
    idle_workers = [this](int at_most) { return pool.idle().promise(at_most); };
    on_claims = [this](std::optional<Claims> claims) { pool.idle().hand_over(std::move(claims)); };
    on_commit = [this](std::span<const Change> changes) {
      running.publish(changes);
      pool.idle().publish(changes);
      const std::lock_guard lock(mutex);
      ++commits;
      for (const Change& change : changes) {
        latest[change.task] = change.to;
        if (on_change) on_change(change);
      }
      changed.notify_all();
    };
  }
  ~PoolFixture() { pool.stop(); }
  // Until a commit brought the task there.
  void wait_until(TaskId task, State state) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return latest.contains(task) && latest.at(task) == state; });
  }
  // Most likely all workers that have nothing to do sleep, so that only a commit wakes them: for
  // some rounds nobody but the test asks.
  void let_workers_ask() {
    for (int alone = 0; alone < 3; ++alone) {
      const int before = clock.reads;
      store->claim(0);
      if (clock.reads != before + 1) alone = -1;
    }
  }

  FakeLauncher launcher;
  RunningSet running;
  ProgressBoard progress;
  Handlers handlers;
  WorkerPool pool;
  std::mutex mutex;
  std::condition_variable changed;  // with each commit that changed anything
  std::uint64_t commits = 0;        // that did
  std::map<TaskId, State> latest;
  std::function<void(const Change&)> on_change;  // in the order of commits, with the mutex held
};

}  // namespace taskd::test
