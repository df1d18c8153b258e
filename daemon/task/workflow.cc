#include "daemon/task/workflow.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace taskd {

State state_of(const Workflow& workflow) {
  const auto has = [&](State state) {
    return workflow.counts[static_cast<std::size_t>(state)] > 0;
  };
  const auto has_any = [&](bool ended) {
    return std::any_of(std::begin(kAllStates), std::end(kAllStates),
                       [&](State state) { return is_end(state) == ended && has(state); });
  };
  if (has_any(/*ended=*/false)) {
    return workflow.begun || has_any(/*ended=*/true) ? State::running : State::queued;
  }
  if (has(State::failed)) return State::failed;
  const auto cancelled = workflow.counts[static_cast<std::size_t>(State::cancelled)];
  return std::cmp_greater(cancelled, workflow.skipped.size()) ? State::cancelled : State::succeeded;
}

}  // namespace taskd
