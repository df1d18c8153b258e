// The table of options: whatever is in it is read, stored, answered and documented.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "daemon/base/json_writer.h"
#include "daemon/task/spec_json.h"
#include "daemon/task/task_option.h"

namespace taskd {
namespace {

using nlohmann::json;

// A value of each option that differs from its default. A new option needs one.
const std::map<std::string, json>& samples() {
  static const std::map<std::string, json> all = {
      {"argv", {"a", "b c"}},
      {"shell", "echo x"},
      {"handler", "mail"},
      {"payload", {{"to", {1, nullptr}}}},
      {"name", "n"},
      {"queue", "night"},
      {"priority", -7},
      {"env", {{"A", "1"}}},
      {"cwd", "/srv"},
      {"umask", "0027"},
      {"nice", 10},
      {"stdin", {{"file", "/in"}}},
      {"user", 65534},
      {"labels", {{"team", "x"}}},
      {"delay_ms", 5},
      {"run_at", "2026-03-01T12:00:00.000Z"},
      {"hold", true},
      {"timeout_ms", 6},
      {"progress_timeout_ms", 7},
      {"grace_ms", 8},
      {"max_attempts", 9},
      {"backoff", {{"kind", "linear"}, {"initial_ms", 1}, {"max_ms", 2}, {"jitter", 0.5}}},
      {"retry_on", {1, "timeout"}},
      {"no_retry_on", {2, "signal"}},
      {"on_lost", "fail"},
      {"on_bad_result", "ignore"},
      {"max_lost", 4},
      {"notify", {"chat:failed"}},
      {"keep_ms", 60'000},
      {"key", {{"name", "k"}, {"limit", 2}, {"rate", {{"count", 3}, {"per_ms", 4}}}}},
      {"slots", 3},
      {"resources", {{"gpu", 1}}},
      {"array", {{"first", 1}, {"last", 3}, {"step", 1}}},
      {"unique", {{"key", "u"}, {"for_ms", 5}, {"while", "queued"}}},
      {"depends_on", {{{"task", 12}, {"on", "any"}}}},
      {"on_dependency_failed", "run"},
  };
  return all;
}

// A submit of that option alone, and a command where it is none itself.
json body_with(const TaskOption& option) {
  json body = {{std::string(option.field), samples().at(std::string(option.field))}};
  if (option.field == "payload") body["handler"] = "mail";
  if (!body.contains("argv") && !body.contains("shell") && !body.contains("handler"))
    body["argv"] = {"true"};
  return body;
}

NewTask read_task(const json& body) {
  auto read = new_task_from_json(body);
  const auto* errors = std::get_if<FieldErrors>(&read);
  REQUIRE_MESSAGE(errors == nullptr, body.dump(), ": ", errors->front().detail);
  return std::get<NewTask>(std::move(read));
}

std::string read_all(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_CASE("every option comes back from a submit's body and from the store as it was") {
  for (const TaskOption& option : task_options()) {
    CAPTURE(option.field);
    REQUIRE(samples().contains(std::string(option.field)));
    NewTask task = read_task(body_with(option));
    // As the API does with the names of other tasks.
    if (!task.spec.constraints.named.empty()) {
      task.spec.constraints.named.clear();
      task.spec.constraints.depends_on = {{12, DependencyOn::any}};
    }
    CHECK(to_json(task) == body_with(option));
    CHECK(task_from_stored(task_to_stored(task)).spec == task.spec);
    if (option.kept != Kept::spec) continue;
    TaskSpec stored;
    spec_from_stored(spec_to_stored(task.spec), stored);
    CHECK(stored == task.spec);
    CHECK_FALSE(option.value->is_default(task.spec));
  }
}

TEST_CASE("every option that an answer has comes back from it, but for what is secret") {
  for (const TaskOption& option : task_options()) {
    CAPTURE(option.field);
    if (option.kept != Kept::spec || option.answered == Answered::never) continue;
    const TaskSpec spec = read_task(body_with(option)).spec;
    JsonWriter writer;
    writer.begin('{');
    write_answered_spec(writer, spec);
    writer.end('}');
    const json answer = json::parse(writer.take());
    REQUIRE(answer.contains(option.field));
    const TaskSpec answered = spec_from_answer(answer);
    if (option.field == "env") {
      CHECK(answered.env.at("A") == "***");
    } else {
      CHECK(answered == spec);
    }
  }
}

TEST_CASE("a null and a wrong type are refused for every option, and say which it is") {
  for (const TaskOption& option : task_options()) {
    CAPTURE(option.field);
    json body = body_with(option);
    body[std::string(option.field)] = json::array({json::object({{"?", false}})});
    const auto result = new_task_from_json(body);
    const auto* errors = std::get_if<FieldErrors>(&result);
    if (option.field == "payload") continue;  // takes anything
    REQUIRE(errors != nullptr);
    CHECK(errors->front().pointer.starts_with("#/" + std::string(option.field)));
  }
}

TEST_CASE("no two options share a field or a flag, and each flag explains itself") {
  std::set<std::string_view> names;
  for (const TaskOption& option : task_options()) {
    CAPTURE(option.field);
    CHECK(names.insert(option.field).second);
    CHECK(find_task_option(option.field) == &option);
    for (const OptionFlag& flag : option.flags) {
      if (flag.names.empty()) continue;
      CHECK(names.insert(flag.long_name()).second);
      CHECK_FALSE(flag.help.empty());
      CHECK(flag.value.empty() == (flag.text == FlagText::none));
    }
  }
}

TEST_CASE("API.md has the table of the options as it is") {
  const std::string path = TASKD_SOURCE_DIR "/daemon/api/API.md";
  std::string document = read_all(path);
  const std::string table = task_options_table();
  // TASKD_WRITE_API=1 writes it there.
  if (std::getenv("TASKD_WRITE_API") != nullptr && document.find(table) == std::string::npos) {
    const std::size_t start = document.find("| field |", document.find("## A task\n"));
    const std::size_t end = document.find("\n\n", start) + 1;
    std::ofstream(path) << document.substr(0, start) << table << document.substr(end);
    document = read_all(path);
  }
  CHECK_MESSAGE(document.find(table) != std::string::npos,
                "the table differs; TASKD_WRITE_API=1 task_tests writes it");
}

}  // namespace
}  // namespace taskd
