// Writes notifications for hooks, inside the transaction of the change that they report.
//
// Used by the writer thread alone. Costs nothing for a task without hooks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/store/task_store.h"

namespace taskd {

class Connection;
struct StoredTask;

class Outbox {
 public:
  // Uses the hooks in `options` and the functions that describe a task.
  explicit Outbox(const StoreOptions& options)
      : hooks_(options.hooks), describe_task_(options.describe_task) {}

  bool declares(const std::string& hook) const;

  // Writes one delivery for each hook that the task or its queue (`queue`) names. A hook that is no
  // longer declared is recorded as failed. Returns the bits of the hooks that have something to
  // deliver now, as in Change.
  std::uint64_t notify(Connection& db, WallTime now, const StoredTask& task, HookEvent event,
                       const std::vector<Notify>& queue) const;

 private:
  const std::vector<HookRule> hooks_;
  const std::function<std::string(const Task&)> describe_task_;
};

// Call before a task gets another spec or is removed, so that pending deliveries still describe it
// with its old spec. A removed task's own spec is kept. A shared spec stays with its array, however
// many deliveries are pending.
void keep_delivery_spec(Connection& db, TaskId task);
void keep_spec_of_removed(Connection& db, TaskId task);
// The array to which the task belongs or belonged, while the array exists.
std::optional<TaskId> array_around(Connection& db, TaskId task);
// Call after a delivery about the task ended.
void forget_delivery_specs(Connection& db, TaskId task);

}  // namespace taskd
