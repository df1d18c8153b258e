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

TaskSpec a_spec() {
  TaskSpec spec;
  spec.argv = {"a", "b"};
  spec.name = "n";
  spec.env = {{"A", "1"}, {"B", "2"}};
  spec.backoff.initial_ms = 5;
  spec.timeout_ms = 9;
  spec.user_uid = 7;
  return spec;
}

NewTask patched(const json& patch) {
  return std::get<NewTask>(patch_task(a_spec(), patch));
}

FieldError wrong(const json& patch) {
  return std::get<FieldErrors>(patch_task(a_spec(), patch)).at(0);
}

TEST_CASE("an empty patch gives the task as it is") {
  const NewTask same = patched(json::object());
  CHECK(same.spec == a_spec());
  CHECK_FALSE(same.delay_ms.has_value());
}

TEST_CASE("a patch that names no dependency leaves them as they are, whatever they are") {
  TaskSpec spec = a_spec();
  spec.constraints.depends_on = {{12, DependencyOn::any, true}, {12, DependencyOn::ok}};
  const auto same = patch_task(spec, {{"name", "other"}});
  REQUIRE(std::holds_alternative<NewTask>(same));
  CHECK(std::get<NewTask>(same).spec.constraints.depends_on == spec.constraints.depends_on);
  CHECK(std::get<NewTask>(same).spec.constraints.named.empty());
  const auto none = patch_task(spec, {{"depends_on", nullptr}});
  CHECK(std::get<NewTask>(none).spec.constraints.depends_on.empty());
  CHECK(std::get<NewTask>(none).spec.constraints.named.empty());
  const auto others = patch_task(spec, {{"depends_on", {3}}});
  CHECK(std::get<NewTask>(others).spec.constraints.named.size() == 1);
}

TEST_CASE("a patch changes what it names, and null gives the default") {
  const NewTask task =
      patched({{"priority", "high"}, {"name", nullptr}, {"timeout_ms", nullptr}, {"delay_ms", 3}});
  CHECK(task.spec.priority == 10);
  CHECK(task.spec.name.empty());
  CHECK(task.spec.timeout_ms == 0);
  CHECK(task.delay_ms == 3);
  CHECK(task.spec.argv == a_spec().argv);
}

TEST_CASE("objects are merged, so that one variable can be changed without knowing the others") {
  const NewTask task =
      patched({{"env", {{"A", nullptr}, {"C", "3"}}}, {"backoff", {{"max_ms", 8}}}});
  CHECK(task.spec.env == std::map<std::string, std::string>{{"B", "2"}, {"C", "3"}});
  CHECK(task.spec.backoff.initial_ms == 5);
  CHECK(task.spec.backoff.max_ms == 8);
  CHECK(patched({{"env", nullptr}}).spec.env.empty());
}

TEST_CASE("another stdin takes the place of the one there is") {
  TaskSpec spec = a_spec();
  spec.stdin_text = "text";
  const auto task = std::get<NewTask>(patch_task(spec, {{"stdin", {{"file", "/x"}}}}));
  CHECK(task.spec.stdin_file == "/x");
  CHECK(task.spec.stdin_text.empty());
}

TEST_CASE("another kind of command takes the place of the one there is") {
  const NewTask task = patched({{"shell", "x | y"}});
  CHECK(task.spec.shell == "x | y");
  CHECK(task.spec.argv.empty());
  CHECK(patched({{"argv", nullptr}, {"shell", "x"}}).spec.shell == "x");
}

TEST_CASE("what a patch makes is looked at as a submit is") {
  CHECK(wrong({{"argv", nullptr}}).detail ==
        "exactly one of \"argv\", \"shell\" and \"handler\" is needed");
  CHECK(wrong({{"argv", {"x"}}, {"shell", "y"}}).pointer == "#");
  CHECK(wrong({{"env", {{"A", 5}}}}).pointer == "#/env/A");
  CHECK(wrong({{"prio", 5}}).pointer == "#/prio");
  CHECK(wrong({{"prio", nullptr}}).detail == "unknown field");
  CHECK(wrong({{"run_at", "2026-01-01T00:00:00Z"}, {"delay_ms", 5}}).pointer == "#");
  CHECK(wrong(json::array()).detail == "must be an object");
}

TEST_CASE("a handler is a kind of command, and says where and as whom it runs") {
  const json defaults = {{"shell", "s"}, {"cwd", "/"}, {"env", {{"A", "1"}}}, {"priority", 3}};
  CHECK(filled({{"handler", "mail"}}, defaults) == json{{"handler", "mail"}, {"priority", 3}});
  const json mail = {{"handler", "mail"}, {"payload", {1}}};
  CHECK(filled({{"argv", {"x"}}, {"cwd", "/"}}, mail) == json{{"argv", {"x"}}, {"cwd", "/"}});
  CHECK(filled({{"payload", {2}}}, mail) == json{{"handler", "mail"}, {"payload", {2}}});
  CHECK(check_defaults({{"payload", 5}, {"cwd", "/"}}, "#/defaults").empty());
  CHECK(check_defaults({{"handler", "mail"}, {"cwd", "/"}}, "#/defaults").at(0).pointer ==
        "#/defaults/cwd");
}

TEST_CASE("a payload is patched as a whole, whatever is in it") {
  TaskSpec spec;
  spec.handler = "mail";
  spec.payload = R"({"cc":"y","to":"x"})";
  const auto with = [&](const json& patch) {
    return std::get<NewTask>(patch_task(spec, patch)).spec.payload;
  };
  CHECK(with({{"payload", {{"to", nullptr}}}}) == R"({"to":null})");
  CHECK(with({{"payload", {1, 2}}}) == "[1,2]");
  CHECK(with({{"payload", nullptr}}).empty());
  CHECK(with({{"priority", 5}}) == spec.payload);
  CHECK(with({{"handler", "other"}}) == spec.payload);
}

TEST_CASE("between a command and a handler nothing is left of the one before") {
  const NewTask handled = patched({{"handler", "mail"}, {"payload", 5}});
  CHECK(handled.spec.argv.empty());
  CHECK(handled.spec.env.empty());
  CHECK_FALSE(handled.spec.user_uid);
  CHECK(handled.spec.timeout_ms == 9);
  const auto back = std::get<NewTask>(patch_task(handled.spec, {{"argv", {"x"}}}));
  CHECK(back.spec.handler.empty());
  CHECK(back.spec.payload.empty());
}

}  // namespace
}  // namespace taskd
