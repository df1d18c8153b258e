#include "daemon/limits/topological_order.h"

#include <algorithm>
#include <map>
#include <queue>

namespace taskd {
namespace {

using Indexes = std::map<std::string, std::size_t, std::less<>>;

Indexes index_names(const std::vector<GraphStep>& steps) {
  Indexes indexes;
  for (std::size_t i = 0; i < steps.size(); ++i) indexes[steps[i].name] = i;
  return indexes;
}

// Starts from a step that is part of a cycle or leads to one: follows open needs until a step
// repeats.
Cycle find_cycle(const std::vector<GraphStep>& steps, const Indexes& indexes,
                 const std::vector<std::size_t>& missing, std::size_t start) {
  std::vector<std::size_t> path;
  std::size_t step = start;
  for (;;) {
    const auto again = std::find(path.begin(), path.end(), step);
    if (again != path.end()) {
      Cycle cycle;
      for (auto it = again; it != path.end(); ++it) cycle.steps.push_back(steps[*it].name);
      return cycle;
    }
    path.push_back(step);
    for (const std::string& need : steps[step].needs) {
      const std::size_t next = indexes.find(need)->second;
      if (missing[next] == 0) continue;
      step = next;
      break;
    }
  }
}

}  // namespace

std::variant<std::vector<std::size_t>, UnknownStep, Cycle> order_steps(
    const std::vector<GraphStep>& steps) {
  const Indexes indexes = index_names(steps);
  std::vector<std::size_t> missing(steps.size());  // number of needs not in `order` yet
  std::vector<std::vector<std::size_t>> needed_by(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (std::size_t n = 0; n < steps[i].needs.size(); ++n) {
      const auto need = indexes.find(steps[i].needs[n]);
      if (need == indexes.end()) return UnknownStep{i, n};
      needed_by[need->second].push_back(i);
      ++missing[i];
    }
  }
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    const std::size_t step = ready.top();
    ready.pop();
    order.push_back(step);
    for (const std::size_t next : needed_by[step]) {
      if (--missing[next] == 0) ready.push(next);
    }
  }
  if (order.size() == steps.size()) return order;
  const auto stuck = std::find_if(missing.begin(), missing.end(), [](auto n) { return n > 0; });
  return find_cycle(steps, indexes, missing, static_cast<std::size_t>(stuck - missing.begin()));
}

}  // namespace taskd
