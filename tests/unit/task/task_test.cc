#include "daemon/task/task.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace taskd {
namespace {

TEST_CASE("every state is spelled once and reads back") {
  std::set<std::string_view> seen;
  for (const State state : kAllStates) {
    CHECK(parse_state(to_string(state)) == state);
    CHECK(seen.insert(to_string(state)).second);
  }
  CHECK(seen.size() == 8);
  CHECK(parse_state("Running") == std::nullopt);
  CHECK(parse_state("") == std::nullopt);
}

TEST_CASE("every reason, outcome and choice reads back") {
  for (const char* text : {"exit", "signal", "timeout", "oom", "spawn", "lost", "poison",
                           "dependency", "expired", "reported"}) {
    CAPTURE(text);
    REQUIRE(parse_reason(text));
    CHECK(to_string(*parse_reason(text)) == text);
  }
  for (const char* text : {"exited", "signaled", "timed_out", "oom_killed", "spawn_failed", "lost",
                           "cancelled", "reported", "not_started"}) {
    CAPTURE(text);
    REQUIRE(parse_outcome_kind(text));
    CHECK(to_string(*parse_outcome_kind(text)) == text);
  }
  CHECK(to_string(Reason::spawn) == "spawn");
  CHECK(to_string(OutcomeKind::spawn_failed) == "spawn_failed");
  CHECK(parse_backoff_kind("linear") == BackoffKind::linear);
  CHECK(parse_backoff_kind("constant") == BackoffKind::constant);
  CHECK(parse_backoff_kind("exponential") == BackoffKind::exponential);
  CHECK(parse_on_lost("rerun") == OnLost::rerun);
  CHECK(parse_on_lost("fail") == OnLost::fail);
  CHECK(parse_reason("exits") == std::nullopt);
  CHECK(parse_outcome_kind("exit") == std::nullopt);
  CHECK(parse_on_lost("") == std::nullopt);
}

TEST_CASE("priorities are names or 32-bit numbers") {
  CHECK(parse_priority("low") == -10);
  CHECK(parse_priority("normal") == 0);
  CHECK(parse_priority("high") == 10);
  CHECK(parse_priority("urgent") == 100);
  CHECK(parse_priority("-5") == -5);
  CHECK(parse_priority("2147483647") == 2147483647);
  CHECK(parse_priority("-2147483648") == -2147483647 - 1);
  for (const char* text : {"", "2147483648", "-2147483649", "High", "1.0", "+1"}) {
    CAPTURE(text);
    CHECK(parse_priority(text) == std::nullopt);
  }
}

TEST_CASE("the command is shown as a person could type it") {
  TaskSpec spec;
  spec.argv = {"echo", "two words", "it's", ""};
  CHECK(command_line(spec) == "echo 'two words' 'it'\\''s' ''");
  spec.argv.clear();
  spec.shell = "a | b > 'c'";
  CHECK(command_line(spec) == "a | b > 'c'");
}

}  // namespace
}  // namespace taskd
