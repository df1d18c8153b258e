// Writes what hooks are to be told, inside the transaction of the change they are told of.
//
// Used by the writer thread alone. Costs nothing for a task that nobody is told of.
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
  // Of `options` it uses the hooks and what describes a task.
  explicit Outbox(const StoreOptions& options)
      : hooks_(options.hooks), describe_task_(options.describe_task) {}

  bool declares(const std::string& hook) const;

  // Writes the event's deliveries to the hooks that the task or its queue (`queue`) names, one
  // each. A hook that is not declared any more is recorded as failed. Returns the bits of the hooks
  // that have something to do now, as in Change.
  std::uint64_t notify(Connection& db, WallTime now, const StoredTask& task, HookEvent event,
                       const std::vector<Notify>& queue) const;

 private:
  const std::vector<HookRule> hooks_;
  const std::function<std::string(const Task&)> describe_task_;
};

// The task is about to get another spec, or to be removed: what is still to be told of it is told
// with the spec that it had. Of a task that is removed its own is kept; one that it shares stays with
// its array, however many of its tasks are still to be told of.
void keep_delivery_spec(Connection& db, TaskId task);
void keep_spec_of_removed(Connection& db, TaskId task);
// The array to which the task belongs, or belonged, as long as the array is there.
std::optional<TaskId> array_around(Connection& db, TaskId task);
// A delivery about it is through.
void forget_delivery_specs(Connection& db, TaskId task);

}  // namespace taskd
