#include "ctl/view/preview.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"

using namespace taskd;
using namespace taskd::ctl;

namespace {

Preview preview_of(const char* text) {
  return read_preview(nlohmann::json::parse(text));
}

}  // namespace

TEST_CASE("a question says how many tasks it is about, by state") {
  const Preview preview = preview_of(
      R"({"dry_run":true,"count":1204,"ids":[1],"full_queue":null,"counts":[
          {"queue":"mail","state":"running","count":4},{"queue":"a","state":"queued","count":200},
          {"queue":"mail","state":"queued","count":1000}]})");
  CHECK(question_about(preview, "cancel") == "Cancel 1,204 tasks (1,200 queued, 4 running)?");
  CHECK(describe_dry_run(preview, "cancel", 10) ==
        "would cancel 1,204 tasks (1,200 queued, 4 running), of which these are the first 10; by "
        "queue: a 200, mail 1,004");
}

TEST_CASE("a dry run says where it would stop, and that nothing matches") {
  const Preview stops = preview_of(
      R"({"count":1,"ids":[7],"full_queue":"small",
          "counts":[{"queue":"a","state":"failed","count":1}]})");
  CHECK(describe_dry_run(stops, "retry", 10) ==
        "would retry 1 task (1 failed), until the queue small takes no more");
  const Preview nothing = preview_of(R"({"count":0,"ids":[],"full_queue":null,"counts":[]})");
  CHECK(describe_dry_run(nothing, "hold", 10) == "no task matches; nothing would change");
}

TEST_CASE("what is no dry run is not taken for one") {
  for (const char* text : {R"({"changed":[]})", R"([])",
                           R"({"count":1,"ids":[1],"full_queue":null,
                               "counts":[{"queue":"a","state":"lost","count":1}]})"}) {
    CHECK_THROWS_AS(preview_of(text), Failure);
  }
}
