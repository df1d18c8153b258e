#include "daemon/limits/topological_order.h"

#include <doctest/doctest.h>

namespace taskd {
namespace {

using Order = std::vector<std::size_t>;

TEST_CASE("each step comes after what it needs, otherwise as it was given") {
  CHECK(std::get<Order>(order_steps({{"a", {}}, {"b", {}}, {"c", {}}})) == Order{0, 1, 2});
  CHECK(std::get<Order>(order_steps({{"last", {"x", "y"}}, {"x", {"y"}}, {"y", {}}, {"z", {}}})) ==
        Order{2, 1, 0, 3});
  CHECK(std::get<Order>(order_steps({})).empty());
}

TEST_CASE("a need that is no step is named") {
  const auto unknown = std::get<UnknownStep>(order_steps({{"a", {}}, {"b", {"a", "c"}}}));
  CHECK(unknown.step == 1);
  CHECK(unknown.need == 1);
}

TEST_CASE("a cycle is told step by step, without what only leads to it") {
  const auto cycle = std::get<Cycle>(order_steps(
      {{"start", {"a"}}, {"a", {"free", "b"}}, {"b", {"c"}}, {"c", {"a"}}, {"free", {}}}));
  CHECK(cycle.steps == std::vector<std::string>{"a", "b", "c"});
  CHECK(std::get<Cycle>(order_steps({{"self", {"self"}}})).steps ==
        std::vector<std::string>{"self"});
}

TEST_CASE("a long chain costs no stack and little time") {
  std::vector<GraphStep> steps = {{"0", {}}};
  for (int i = 1; i < 10'000; ++i) steps.push_back({std::to_string(i), {std::to_string(i - 1)}});
  CHECK(std::get<Order>(order_steps(steps)).size() == 10'000);
}

}  // namespace
}  // namespace taskd
