#include "ctl/options/task_document.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

TEST_CASE("a document is read back as what was written, whatever is in it") {
  const json task = {{"id", 12},
                     {"state", "scheduled"},
                     {"argv", {"echo", "// no comment", "\"\\"}},
                     {"env", {{"URL", "***"}, {"A", "***"}}},
                     {"labels", json::object()},
                     {"user", nullptr},
                     {"timeout_ms", 5'400'000},
                     {"due_at", "2026-03-01T12:00:00.000Z"}};
  const json part = editable_part(task);
  CHECK_FALSE(part.contains("id"));
  CHECK_FALSE(part.contains("user"));
  CHECK(part.at("run_at") == task.at("due_at"));
  const std::string text = write_document(part, "Task 12, scheduled");
  CHECK(text.starts_with("// Task 12, scheduled\n"));
  CHECK(text.find("\"timeout_ms\": 5400000  // 1h30m\n") != std::string::npos);
  CHECK(text.find("  \"env\": {\n    \"A\": \"***\",\n    \"URL\": \"***\"\n  },\n") !=
        std::string::npos);
  CHECK(read_document(text) == part);
  CHECK(patch_between(part, read_document(text)).empty());
}

TEST_CASE("an ended task has no start to edit") {
  CHECK_FALSE(editable_part({{"state", "failed"}, {"due_at", nullptr}}).contains("run_at"));
  CHECK(editable_part({{"state", "held"}, {"due_at", nullptr}}).at("run_at").is_null());
}

TEST_CASE("the patch between two documents says what was changed, added and removed") {
  const json before = {{"name", "n"}, {"priority", 1}, {"env", {{"A", "***"}, {"B", "***"}}}};
  const json after = {{"priority", 2}, {"env", {{"A", "***"}, {"C", "3"}}}, {"keep_ms", 5}};
  CHECK(patch_between(before, after) == json{{"name", nullptr},
                                             {"priority", 2},
                                             {"env", {{"B", nullptr}, {"C", "3"}}},
                                             {"keep_ms", 5}});
  CHECK(patch_between({{"argv", {"a"}}}, {{"shell", "x"}}) ==
        json{{"argv", nullptr}, {"shell", "x"}});
}

TEST_CASE("a text that cannot be read is refused with its line") {
  const auto says = [](const std::string& text) {
    try {
      read_document(text);
    } catch (const Failure& failure) {
      CHECK(failure.exit_code == kExitBadData);
      return std::string(failure.what());
    }
    return std::string();
  };
  CHECK(says("// a comment\n{\n  \"a\": 1,\n  \"b\": ,\n}").starts_with("line 4: "));
  CHECK(says("{\"a\":1,\n\"a\":2}").starts_with("line 2: "));
  CHECK(says("").starts_with("line 1: "));
  CHECK(says("{} // all").empty());
}

}  // namespace
}  // namespace taskd::ctl
