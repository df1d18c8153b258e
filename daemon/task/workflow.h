// A workflow: tasks submitted together, each a step that may need others. Plain data.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "daemon/task/task.h"

namespace taskd {

using WorkflowId = std::int64_t;  // from 1, never reused

inline constexpr std::size_t kMaxSteps = 10'000;

struct StepNeed {
  std::size_t step = 0;  // index of an earlier one
  DependencyOn on = DependencyOn::ok;
};
struct WorkflowStep {
  std::string name;
  NewTask task;
  std::vector<StepNeed> needs;
  std::string pointer = {};  // where it stood in what was sent
};
// What a submit asks for. Each step comes after those that it needs.
struct NewWorkflow {
  std::string name;  // "" = none
  std::vector<WorkflowStep> steps;
};

// As it is stored.
struct Workflow {
  WorkflowId id = 0;
  std::uint32_t uid = 0;
  std::string name;
  WallTime created_at;
  std::int64_t counts[std::size(kAllStates)] = {};  // of its tasks that are left, by State
  bool begun = false;                               // one of these has, or had, an attempt
  std::vector<TaskId> skipped;  // of the cancelled: those for what they depended on
  std::vector<Task> tasks;      // these, by id; empty in a list
};

// Of all its tasks: running while any has begun and not all have ended; then failed if any did,
// else cancelled if any was that was needed, else succeeded; before any has begun: queued.
State state_of(const Workflow& workflow);

}  // namespace taskd
