// Steps that need each other: in which order they can be done. Pure.
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
  std::size_t step = 0;  // whose …
  std::size_t need = 0;  // … need of this index is no step
};
struct Cycle {
  std::vector<std::string> steps;  // each needs the next, and the last the first
};

// The indexes of the steps, each after all that it needs, otherwise as they were given. Names are
// unique.
std::variant<std::vector<std::size_t>, UnknownStep, Cycle> order_steps(
    const std::vector<GraphStep>& steps);

}  // namespace taskd
