// Topological order of steps that need each other. Pure.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace taskd {

struct GraphStep {
  std::string name;
  std::vector<std::string> needs;  // names of other steps
};

struct UnknownStep {
  std::size_t step = 0;  // index of the step
  std::size_t need = 0;  // index of its need that names no step
};
struct Cycle {
  std::vector<std::string> steps;  // each needs the next, and the last needs the first
};

// The indexes of the steps, each after all that it needs, otherwise in the given order. Names must
// be unique.
std::variant<std::vector<std::size_t>, UnknownStep, Cycle> order_steps(
    const std::vector<GraphStep>& steps);

}  // namespace taskd
