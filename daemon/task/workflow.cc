#include "daemon/task/workflow.h"

#include <algorithm>

namespace taskd {

State state_of(const Workflow& workflow) {
  const auto any = [&](auto holds) {
    return std::any_of(workflow.tasks.begin(), workflow.tasks.end(), holds);
  };
  const auto any_is = [&](State state) {
    return any([&](const Task& task) { return task.state == state; });
  };
  if (any([](const Task& task) { return !is_end(task.state); })) {
    const bool begun = any([](const Task& task) { return task.attempt > 0 || is_end(task.state); });
    return begun ? State::running : State::queued;
  }
  if (any_is(State::failed)) return State::failed;
  return any_is(State::cancelled) ? State::cancelled : State::succeeded;
}

}  // namespace taskd
