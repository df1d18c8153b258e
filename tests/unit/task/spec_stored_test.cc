// The form in which the store keeps a spec. That it reads back as it was is in spec_json_test.cc.
#include <doctest/doctest.h>

#include <stdexcept>

#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

TEST_CASE("the stored form holds only what differs from the defaults") {
  TaskSpec spec;
  CHECK(spec_to_stored(spec) == R"({"version":1})");
  spec.argv = {"echo", "a\"b\n\x1F"};
  CHECK(spec_to_stored(spec) == R"({"version":1,"argv":["echo","a\"b\n\u001f"]})");
  spec.env = {{"A", "1"}, {"B", ""}};
  spec.backoff.jitter = 0.25;
  spec.retry_on = {{.exit_code = 3, .reason = {}}, {.exit_code = {}, .reason = Reason::oom}};
  CHECK(spec_to_stored(spec) ==
        R"({"version":1,"argv":["echo","a\"b\n\u001f"],"env":{"A":"1","B":""},)"
        R"("backoff":{"jitter":0.25},)"
        R"("retry_on":[3,"oom"]})");
}

TEST_CASE("a stored form that nobody wrote is an error") {
  for (const char* text : {"",
                           "[]",
                           "{",
                           R"({"argv":["true"]})",
                           R"({"version":"1"})",
                           R"({"version":0})",
                           R"({"version":2,"argv":["true"]})",
                           R"({"version":1,"argv":1})",
                           R"({"version":1,"argv":[1]})",
                           R"({"version":1,"nonsense":1})",
                           R"({"version":1,"name":"x"})",
                           R"({"version":1,"max_attempts":5000000000})",
                           R"({"version":1,"timeout_ms":1.5})",
                           R"({"version":1,"user":-1})",
                           R"({"version":1,"env":{"A":1}})",
                           R"({"version":1,"on_lost":"x"})",
                           R"({"version":1,"on_bad_result":"x"})",
                           R"({"version":1,"retry_on":["x"]})",
                           R"({"version":1,"backoff":{"jitter":"x"}})",
                           "{\"version\":1,\"cwd\":\"\xFF\"}",
                           R"({"version":1,"umask":18})",
                           R"({"version":1,"umask":"9"})",
                           R"({"version":1,"argv":[{"base64":"?"}]})",
                           R"({"version":1,"cwd":{}})",
                           R"({"version":1,"key":{"name":"k","rate":5}})",
                           R"({"version":1,"key":{"name":"k","rate":{"count":1}}})",
                           R"({"version":1,"key":{"name":"k","rate":{"count":"x","per_ms":1}}})",
                           R"({"version":1,"key":{"name":"k","rate":{"count":0,"per_ms":0}}})",
                           R"({"version":1,"slots":0})",
                           R"({"version":1,"max_attempts":18446744073709551615})"}) {
    CAPTURE(text);
    TaskSpec spec;
    CHECK_THROWS_AS(spec_from_stored(text, spec), std::runtime_error);
  }
}

}  // namespace
}  // namespace taskd
