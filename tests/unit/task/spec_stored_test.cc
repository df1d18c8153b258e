// The form in which the store keeps a spec. That it reads back as it was is in spec_json_test.cc.
#include <doctest/doctest.h>

#include <stdexcept>

#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

TEST_CASE("the stored form holds only what differs from the defaults") {
  TaskSpec spec;
  CHECK(spec_to_stored(spec) == "{}");
  spec.argv = {"echo", "a\"b\n\x1F"};
  CHECK(spec_to_stored(spec) == R"({"argv":["echo","a\"b\n\u001f"]})");
  spec.env = {{"A", "1"}, {"B", ""}};
  spec.backoff.jitter = 0.25;
  spec.retry_on = {{.exit_code = 3, .reason = {}}, {.exit_code = {}, .reason = Reason::oom}};
  CHECK(spec_to_stored(spec) ==
        R"({"argv":["echo","a\"b\n\u001f"],"env":{"A":"1","B":""},"backoff":{"jitter":0.25},)"
        R"("retry_on":[3,"oom"]})");
}

TEST_CASE("a stored form that nobody wrote is an error") {
  for (const char* text : {"",
                           "[]",
                           "{",
                           R"({"argv":1})",
                           R"({"argv":[1]})",
                           R"({"nonsense":1})",
                           R"({"name":"x"})",
                           R"({"max_attempts":5000000000})",
                           R"({"timeout_ms":1.5})",
                           R"({"user":-1})",
                           R"({"env":{"A":1}})",
                           R"({"on_lost":"x"})",
                           R"({"on_bad_result":"x"})",
                           R"({"retry_on":["x"]})",
                           R"({"backoff":{"jitter":"x"}})",
                           "{\"cwd\":\"\xFF\"}",
                           R"({"umask":18})",
                           R"({"umask":"9"})",
                           R"({"argv":[{"base64":"?"}]})",
                           R"({"cwd":{}})",
                           R"({"key":{"name":"k","rate":5}})",
                           R"({"key":{"name":"k","rate":{"count":1}}})",
                           R"({"key":{"name":"k","rate":{"count":"x","per_ms":1}}})",
                           R"({"key":{"name":"k","rate":{"count":0,"per_ms":0}}})",
                           R"({"slots":0})",
                           R"({"max_attempts":18446744073709551615})"}) {
    CAPTURE(text);
    TaskSpec spec;
    CHECK_THROWS_AS(spec_from_stored(text, spec), std::runtime_error);
  }
}

}  // namespace
}  // namespace taskd
