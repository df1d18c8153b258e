// What the store's tests share: a folder of their own, a clock that tests move, a store in it, and
// a second connection that looks at the rows themselves.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/errors.h"
#include "daemon/store/task_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace taskd {

using test::FakeClock;
using test::TempDir;

inline constexpr Actor kRoot{0, true};
inline constexpr Actor kAlice{1000, false};
inline constexpr Actor kBob{1001, false};

struct Fixture {
  std::int64_t keep_events = 100'000;  // from the next start on
  explicit Fixture(std::vector<HookRule> declared = {},
                   const std::filesystem::path& parent = std::filesystem::temp_directory_path())
      : hooks(std::move(declared)), dir(parent) {
    start();
  }

  void start() {
    StoreOptions options;
    options.path = dir / "taskd.db";
    options.boot_id = "boot-1";
    options.ballast_bytes = 1 << 20;
    options.keep_events = keep_events;
    options.clock = &clock;
    options.hooks = hooks;
    options.describe_task = [](const Task& task) {
      return R"({"id":)" + std::to_string(task.id) + R"(,"state":")" +
             std::string(to_string(task.state)) + R"(","attempt":)" + std::to_string(task.attempt) +
             R"(,"ended":)" + (task.last_outcome ? "true" : "false") + "}";
    };
    options.describe_spec = [this](const TaskSpec& spec) {
      return describes_specs ? R"({"shell":")" + spec.shell + "\"}" : "{}";
    };
    options.machine = machine;
    options.on_commit = [this](std::span<const Change> batch) {
      if (on_writer) on_writer();
      const std::lock_guard lock(mutex);
      changes.insert(changes.end(), batch.begin(), batch.end());
      largest_commit = std::max(largest_commit, batch.size());
      if (after_commit) after_commit();
    };
    options.commit_budget_us = commit_budget_us;
    options.idle_workers = [this](int at_most) {
      const std::lock_guard lock(mutex);
      promised += std::min(at_most, idle) > 0;
      return std::min(at_most, idle);
    };
    options.on_claims = [this](std::optional<Claims> claims) {
      const std::lock_guard lock(mutex);
      handed.push_back(std::move(claims));
    };
    options.on_fatal = [this](const std::string& reason) {
      const std::lock_guard lock(mutex);
      fatal.push_back(reason);
    };
    store = TaskStore::open(std::move(options));
  }
  void restart() {
    store.reset();
    start();
  }

  static NewTask task(int priority = 0) {
    NewTask task;
    task.spec.argv = {"/bin/true"};
    task.spec.priority = priority;
    return task;
  }
  SubmitResult try_submit(std::vector<NewTask> tasks, Actor actor = kAlice, std::string key = "",
                          std::string digest = "d") {
    return store->submit({actor, std::move(tasks), std::move(key), std::move(digest)});
  }
  TaskId submit(NewTask new_task, Actor actor = kAlice) {
    return std::get<Submitted>(try_submit({std::move(new_task)}, actor)).ids.at(0);
  }
  TaskId submit() { return submit(task()); }
  Claim claim() {
    std::vector<Claim> claims = store->claim(1).claims;
    REQUIRE(claims.size() == 1);
    return std::move(claims.front());
  }
  static Finish end_of(const Claim& claim, OutcomeKind kind = OutcomeKind::exited, int code = 0) {
    Finish finish;
    finish.task = claim.task;
    finish.attempt = claim.attempt;
    finish.token = claim.token;
    finish.end.outcome = {kind, code, ""};
    return finish;
  }
  bool finish(const Claim& claim, OutcomeKind kind = OutcomeKind::exited, int code = 0) {
    const Finish one = end_of(claim, kind, code);
    return store->finish({&one, 1}, 0).at(0).accepted;
  }
  ControlResult control(Verb verb, std::vector<TaskId> ids, Actor actor = kAlice) {
    ControlRequest request;
    request.actor = actor;
    request.verb = verb;
    request.ids = std::move(ids);
    return store->control(request);
  }
  ControlChange control(Verb verb, TaskId id) {
    return std::get<std::vector<ControlChange>>(control(verb, std::vector<TaskId>{id})).at(0);
  }
  Task get(TaskId id) {
    std::optional<Task> task = store->get(kRoot, id);
    REQUIRE(task.has_value());
    return *std::move(task);
  }
  State state(TaskId id) { return get(id).state; }

  // One value, or all values of the first column, read by a connection of the test's own.
  std::int64_t number(const std::string& sql) { return open_database().execAndGet(sql).getInt64(); }
  std::vector<std::string> texts(const std::string& sql) {
    SQLite::Database db = open_database();
    SQLite::Statement statement(db, sql);
    std::vector<std::string> texts;
    while (statement.executeStep()) texts.push_back(statement.getColumn(0).getString());
    return texts;
  }
  std::vector<std::string> events_of(TaskId id) {
    return texts("SELECT type FROM events WHERE task_id = " + std::to_string(id) + " ORDER BY seq");
  }
  SQLite::Database open_database() const {
    return SQLite::Database(dir / "taskd.db", SQLite::OPEN_READWRITE, 5000);
  }
  std::vector<Change> take_changes() {
    const std::lock_guard lock(mutex);
    return std::exchange(changes, {});
  }

  std::vector<HookRule> hooks;
  TempDir dir;
  FakeClock clock;
  Machine machine;  // as of the next start
  std::int64_t commit_budget_us = 60'000'000;  // the same; on a slow machine, too, no commit gives way
  std::function<void()> on_writer;                                  // after each commit
  bool describes_specs = false;  // to hooks
  std::mutex mutex;
  std::vector<Change> changes;
  std::size_t largest_commit = 0;      // in changes
  std::function<void()> after_commit;  // on the writer thread
  int idle = 0;                        // workers that take claims with the commits
  int promised = 0;                    // commits for which there were some
  std::vector<std::optional<Claims>> handed;
  std::vector<std::string> fatal;
  std::unique_ptr<TaskStore> store;  // ends first: its writer calls into what is above
};

}  // namespace taskd
