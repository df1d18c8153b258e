// The options that bind a task's start to others: keys, slots and resources, dependencies, unique.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/options/args.h"
#include "daemon/task/start_constraints.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

class ConstraintOptions {
 public:
  // Those that every task may have, also an edited one; those of submits and schedules; and those
  // of a submit alone.
  void declare(Args& args);
  void declare_unique(Args& args);
  void declare_dependencies(Args& args);

  // What they ask for. Throws UsageError (64, 65).
  StartConstraints to_flow() const;
  // Adds to a submit's body what was asked to be as it is by default.
  void add_asked(const StartConstraints& constraints, nlohmann::json& body) const;

 private:
  KeyUse key() const;
  Unique unique() const;
  void set_resources(StartConstraints& constraints) const;
  void set_dependencies(StartConstraints& constraints) const;

  std::optional<std::string> key_, key_limit_, key_rate_, slots_;
  std::optional<std::string> unique_, unique_for_, unique_while_, on_dependency_failed_;
  std::vector<std::string> resources_, after_;
};

}  // namespace taskd::ctl
