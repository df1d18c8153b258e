// The options that bind a task's start to others: keys, slots and resources, dependencies, unique.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/options/args.h"
#include "daemon/task/task.h"
#include "daemon/task/task_flow.h"

namespace taskd::ctl {

class FlowOptions {
 public:
  // Those that every task may have, also an edited one; those of submits and schedules; and those
  // of a submit alone.
  void declare(Args& args);
  void declare_unique(Args& args);
  void declare_dependencies(Args& args);

  // What they ask for. Throws UsageError (64, 65).
  TaskFlow to_flow() const;
  // Adds to a submit's body what was asked to be as it is by default.
  void add_asked(const TaskFlow& flow, nlohmann::json& body) const;

 private:
  KeyUse key() const;
  Unique unique() const;
  void set_resources(TaskFlow& flow) const;
  void set_dependencies(TaskFlow& flow) const;

  std::optional<std::string> key_, key_limit_, key_rate_, slots_;
  std::optional<std::string> unique_, unique_for_, unique_while_, on_dependency_failed_;
  std::vector<std::string> resources_, after_;
};

}  // namespace taskd::ctl
