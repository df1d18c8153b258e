#include "daemon/task/start_constraints_json.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "daemon/base/json_writer.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

using nlohmann::json;

std::variant<NewTask, FieldErrors> read(json fields) {
  fields["argv"] = {"true"};
  return new_task_from_json(fields);
}

StartConstraints constraints_of(const json& fields) {
  return std::get<NewTask>(read(fields)).spec.constraints;
}

// "pointer: detail" of the first error.
std::string constraint_error_of(const json& fields) {
  const auto result = read(fields);
  const auto* errors = std::get_if<FieldErrors>(&result);
  return errors == nullptr ? "" : errors->front().pointer + ": " + errors->front().detail;
}

// As a submit's body has them.
json body_of(const StartConstraints& constraints) {
  NewTask task;
  task.spec.constraints = constraints;
  return to_json(task);
}

json answer_of(const StartConstraints& constraints) {
  TaskSpec spec;
  spec.constraints = constraints;
  JsonWriter writer;
  writer.begin('{');
  write_answered_spec(writer, spec);
  writer.end('}');
  return json::parse(writer.take());
}

TEST_CASE("what binds a start is read, and comes back as it was written") {
  const json fields = {
      {"key",
       {{"name", "customer-7"}, {"limit", 2}, {"rate", {{"count", 10}, {"per_ms", 60'000}}}}},
      {"slots", 2},
      {"resources", {{"gpu", 1}, {"memory", 1 << 30}}},
      {"unique", {{"key", "u"}, {"for_ms", 1000}, {"while", "queued"}}},
      {"depends_on", {{{"task", 12}, {"on", "any"}}, {{"task", 13}, {"on", "ok"}}}},
      {"on_dependency_failed", "cancel"}};
  StartConstraints constraints = constraints_of(fields);
  CHECK(constraints.key.rate == RateLimit{10, 60'000});
  CHECK(constraints.named == std::vector<NamedDependency>{{"12", false, DependencyOn::any},
                                                   {"13", false, DependencyOn::ok}});
  constraints.named.clear();
  constraints.depends_on = {{12, DependencyOn::any}, {13, DependencyOn::ok}};
  CHECK(body_of(constraints) == fields);
  const json answer = answer_of(constraints);
  for (const auto& [field, value] : fields.items()) CHECK(answer.at(field) == value);
  StartConstraints after_array;
  after_array.depends_on = {{13, DependencyOn::ok, true}};
  CHECK(body_of(after_array).at("depends_on") == json::array({{{"array", 13}, {"on", "ok"}}}));
  TaskSpec spec;
  spec.argv = {"true"};
  spec.constraints = constraints;
  TaskSpec stored;
  spec_from_stored(spec_to_stored(spec), stored);
  spec.constraints.depends_on.clear();
  CHECK(stored == spec);
}

TEST_CASE("a dependency is a bare id, a task, an array, one of its indexes, or a name") {
  const auto named = [](const json& item) {
    return constraints_of({{"depends_on", json::array({item})}}).named.at(0);
  };
  CHECK(named(12) == NamedDependency{"12"});
  CHECK(named({{"task", 12}}) == NamedDependency{"12"});
  CHECK(named({{"array", 12}}) == NamedDependency{"12", true});
  CHECK(named({{"array", 12}, {"index", 0}}) == NamedDependency{"12[0]", true});
  CHECK(named({{"tasks", "12[3-5]"}, {"on", "any"}}) ==
        NamedDependency{"12[3-5]", false, DependencyOn::any});
}

TEST_CASE("a dependency that names nothing, or two things, is refused") {
  const auto error = [](const json& item) {
    return constraint_error_of({{"depends_on", json::array({item})}});
  };
  for (const json& item : std::vector<json>{json::object(),
                                            {{"on", "any"}},
                                            {{"task", 1}, {"array", 1}},
                                            {{"task", 1}, {"tasks", "1"}}}) {
    CHECK(error(item) ==
          "#/depends_on/0: exactly one of \"task\", \"array\" and \"tasks\" is needed");
  }
  CHECK(error({{"task", 1}, {"index", 1}}).starts_with("#/depends_on/0/index: is for an"));
  CHECK(error({{"array", 1}, {"index", -1}}).starts_with("#/depends_on/0/index: "));
  CHECK(error({{"tasks", "5-4"}}).starts_with("#/depends_on/0/tasks: must be a task's name"));
  CHECK(error("12").starts_with("#/depends_on/0: "));
}

TEST_CASE("what is usual is not stored, and all of it is shown") {
  CHECK(body_of(StartConstraints{}) == json::object());
  const json all = answer_of(StartConstraints{});
  CHECK(all.at("key").is_null());
  CHECK(all.at("slots") == 1);
  CHECK(all.at("depends_on") == json::array());
}

TEST_CASE("every wrong field is named") {
  CHECK(constraint_error_of({{"key", "k"}}).starts_with("#/key: must be an object or null"));
  CHECK(constraint_error_of({{"key", json::object()}}) == "#/key: \"name\" is needed");
  CHECK(constraint_error_of({{"key", {{"name", ""}}}}) == "#/key/name: must not be empty");
  CHECK(constraint_error_of({{"key", {{"name", "#a"}}}}) == "#/key/name: must not begin with '#'");
  CHECK(constraint_error_of({{"key", {{"name", "a\nb"}}}}).starts_with("#/key/name: "));
  CHECK(constraint_error_of({{"key", {{"name", "a"}, {"limit", 0}}}}) ==
        "#/key/limit: must be from 1 to 1024");
  CHECK(constraint_error_of({{"key", {{"name", "a"}, {"limit", -1}}}}) ==
        "#/key/limit: must be from 1 to 1024");
  CHECK(constraint_error_of({{"key", {{"name", "a"}, {"rate", {{"count", 1}}}}}}) ==
        "#/key/rate: both \"count\" and \"per_ms\" are needed");
  CHECK(constraint_error_of({{"slots", 0}}) == "#/slots: must be from 1 to 1024");
  CHECK(constraint_error_of({{"slots", 1.5}}).starts_with("#/slots: must be an integer"));
  CHECK(constraint_error_of({{"resources", {{"g p", 1}}}}) == "#/resources/g%20p: is not a resource name");
  CHECK(constraint_error_of({{"resources", {{"gpu", 0}}}}).starts_with("#/resources/gpu: must be from 1"));
  CHECK(constraint_error_of({{"unique", {{"for_ms", 1}}}}) == "#/unique: \"key\" is needed");
  CHECK(constraint_error_of({{"unique", {{"key", "u"}, {"while", "x"}}}})
            .starts_with("#/unique/while: must be \"queued\" or \"active\""));
  CHECK(constraint_error_of({{"depends_on", {0}}}).starts_with("#/depends_on/0: must be from 1"));
  CHECK(constraint_error_of({{"depends_on", {1, 1}}}) == "#/depends_on/1: task 1 is named twice");
  CHECK(constraint_error_of({{"on_dependency_failed", "x"}}).starts_with("#/on_dependency_failed: must be"));
}

}  // namespace
}  // namespace taskd
