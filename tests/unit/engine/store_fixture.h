// A real store for the engine's tests, with a clock that is set by hand.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "daemon/store/task_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_launcher.h"
#include "tests/support/temp_dir.h"

namespace taskd::test {

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
