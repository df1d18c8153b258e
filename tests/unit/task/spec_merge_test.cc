#include "daemon/task/spec_merge.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace taskd {
namespace {

using nlohmann::json;

json filled(json task, const json& defaults) {
  fill_in(task, defaults);
  return task;
}

TEST_CASE("a task takes the defaults it leaves out, each field as a whole") {
  const json defaults = {{"queue", "q"}, {"env", {{"A", "1"}}}, {"priority", 3}};
  CHECK(filled({{"argv", {"x"}}, {"env", {{"B", "2"}}}, {"priority", 0}}, defaults) ==
        json{{"argv", {"x"}}, {"env", {{"B", "2"}}}, {"priority", 0}, {"queue", "q"}});
}

TEST_CASE("a command of any kind, and a moment of any kind, takes the place of the default one") {
  const json defaults = {{"shell", "s"}, {"run_at", "2026-01-01T00:00:00Z"}};
  CHECK(filled({{"argv", {"x"}}, {"delay_ms", 5}}, defaults) ==
        json{{"argv", {"x"}}, {"delay_ms", 5}});
  CHECK(filled(json::object(), defaults) == defaults);
}

TEST_CASE("defaults are looked at by themselves, with or without a command") {
  CHECK(check_defaults({{"queue", "q"}}, "#/defaults").empty());
  CHECK(check_defaults({{"argv", {"x"}}}, "#/defaults").empty());
  CHECK(check_defaults({{"prio", 1}}, "#/defaults").at(0).pointer == "#/defaults/prio");
  CHECK(check_defaults(json::array(), "#/defaults").at(0).detail == "must be an object");
}

}  // namespace
}  // namespace taskd
