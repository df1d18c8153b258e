#include "daemon/task/queue_handler_defaults.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace taskd {
namespace {

using nlohmann::json;

json taken(json task, const json& defaults) {
  take_defaults(task, defaults);
  return task;
}

FieldError wrong(DefaultsOf owner, const json& defaults) {
  const FieldErrors errors = check_task_defaults(owner, defaults, "#/defaults");
  REQUIRE(errors.size() == 1);
  return errors.front();
}

TEST_CASE("a task takes what it leaves out, and of labels and back-off each member") {
  const json defaults = {{"timeout_ms", 5},
                         {"resources", {{"gpu", 1}}},
                         {"labels", {{"team", "x"}, {"by", "queue"}}},
                         {"backoff", {{"kind", "linear"}, {"initial_ms", 7}}}};
  CHECK(taken(json::object(), defaults) == defaults);
  CHECK(taken({{"timeout_ms", 0},
               {"resources", {{"memory", 2}}},
               {"labels", {{"by", "task"}}},
               {"backoff", {{"kind", "constant"}}}},
              defaults) == json{{"timeout_ms", 0},
                                {"resources", {{"memory", 2}}},
                                {"labels", {{"team", "x"}, {"by", "task"}}},
                                {"backoff", {{"kind", "constant"}, {"initial_ms", 7}}}});
}

TEST_CASE("a field that is null, or of a wrong type, is the task's own all the same") {
  const json defaults = {{"key", {{"name", "k"}}}, {"labels", {{"a", "b"}}}};
  CHECK(taken({{"key", nullptr}, {"labels", 3}}, defaults) ==
        json{{"key", nullptr}, {"labels", 3}});
}

TEST_CASE("an array that says how many run at once has a key, and takes no other") {
  const json defaults = {{"key", {{"name", "k"}}}};
  CHECK_FALSE(
      taken({{"array", {{"first", 1}, {"last", 2}, {"at_once", 1}}}}, defaults).contains("key"));
  CHECK(taken({{"array", {{"first", 1}, {"last", 2}}}}, defaults).contains("key"));
}

TEST_CASE("defaults are looked at as a submit is, and not everything can be one") {
  CHECK(check_task_defaults(DefaultsOf::queue, {{"timeout_ms", 5}, {"slots", 2}}, "#").empty());
  CHECK(wrong(DefaultsOf::queue, {{"timeout_ms", -5}}).pointer == "#/defaults/timeout_ms");
  CHECK(wrong(DefaultsOf::queue, {{"timeuot_ms", 5}}).detail ==
        "unknown field; did you mean \"timeout_ms\"?");
  CHECK(wrong(DefaultsOf::queue, json::array()).detail == "must be an object");
  for (const char* field :
       {"argv", "shell", "handler", "payload", "name", "env", "cwd", "umask", "stdin", "user",
        "delay_ms", "run_at", "hold", "array", "unique", "depends_on"}) {
    CAPTURE(field);
    CHECK(wrong(DefaultsOf::queue, {{field, "x"}}).detail == "cannot be a default of a queue");
    CHECK(wrong(DefaultsOf::handler, {{field, "x"}}).detail == "cannot be a default of a handler");
  }
  CHECK(wrong(DefaultsOf::queue, {{"queue", "q"}}).pointer == "#/defaults/queue");
  CHECK(wrong(DefaultsOf::queue, {{"notify", {"h"}}}).pointer == "#/defaults/notify");
  CHECK(check_task_defaults(DefaultsOf::handler, {{"queue", "q"}, {"notify", {"h"}}}, "#").empty());
}

TEST_CASE("a patch of defaults sets and takes back single options, and leaves nothing empty") {
  const json defaults = {{"timeout_ms", 5}, {"backoff", {{"kind", "linear"}}}};
  CHECK(patch_defaults(defaults, {{"slots", 2}, {"timeout_ms", nullptr}}) ==
        json{{"slots", 2}, {"backoff", {{"kind", "linear"}}}});
  CHECK(patch_defaults(defaults, {{"backoff", {{"max_ms", 9}}}}).at("backoff") ==
        json{{"kind", "linear"}, {"max_ms", 9}});
  CHECK(patch_defaults(defaults, {{"backoff", {{"kind", nullptr}}}}) == json{{"timeout_ms", 5}});
  CHECK(patch_defaults(defaults, nullptr) == json::object());
  CHECK(patch_defaults(defaults, json::object()) == defaults);
}

}  // namespace
}  // namespace taskd
