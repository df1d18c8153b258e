// What POST /v1/workflows refuses for its size.
#include "daemon/api/http/problem.h"
#include "daemon/api/request/batch_size.h"
#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

TEST_CASE("the text of a batch is counted wherever it stands in a task") {
  std::int64_t counted = 0;
  BatchSize size("workflow", "invalid_workflow", [&](std::int64_t bytes) { counted += bytes; });
  const std::string mebibyte(1 << 20, 'x');
  size.add(json{{"labels", {{mebibyte, mebibyte}}}}, "#/tasks/a");
  for (int i = 0; i < 125; ++i) size.add(json{{"argv", {mebibyte}}}, "#/tasks/b");
  NewTask task;
  task.spec.shell = mebibyte;
  try {
    size.add(task, "#/tasks/c");
    FAIL("the names of the fields make it more");
  } catch (const ProblemError& error) {
    CHECK(error.problem.status == 422);
    CHECK(error.problem.code == "invalid_workflow");
    CHECK(error.problem.detail == "the workflow is too large");
    CHECK(error.problem.errors.at(0).pointer == "#/tasks/c");
    CHECK(error.problem.errors.at(0).detail ==
          "the tasks up to this one have more than 128 MiB of text together; submit fewer at once");
  }
  CHECK(counted > 2 * (125LL << 20));  // as it is twice in memory
}

TEST_CASE("the rows of a workflow are counted, its needs and labels too") {
  const ApiFixture api;
  constexpr int kSteps = 500;  // each needs all before it
  std::string tasks;
  std::string needs;
  for (int i = 1; i <= kSteps; ++i) {
    const std::string name = '"' + std::to_string(i) + '"';
    tasks += (i == 1 ? "" : ",") + name + R"(:{"shell":"x","needs":[)" + needs + "]}";
    needs += (i == 1 ? "" : ",") + name;
  }
  const Response response = api.ask(post("/v1/workflows", R"({"tasks":{)" + tasks + "}}"));
  CHECK(response.status == 422);
  CHECK(response.code() == "invalid_workflow");
  const json problem = response.json();
  CHECK(problem.at("detail") == "the workflow is too large");
  CHECK(problem.at("errors").at(0).at("detail") ==
        "the tasks up to this one have more than 240,000 rows, where a task counts as 4 and a "
        "dependency as 2, together; submit fewer at once");
  CHECK(api.rows() == 0);
}

TEST_CASE("an error of a step points to where it stands in the body") {
  const ApiFixture api;
  const auto pointer = [&](const std::string& body) -> std::string {
    const json problem = api.ask(post("/v1/workflows", body)).json();
    return problem.at("errors").at(0).at("pointer");
  };
  CHECK(pointer(R"({"chain":[{"argv":["a"]},{"argv":["a"],"queue":"nope"}]})") ==
        "#/chain/1/queue");
  CHECK(pointer(R"({"chain":[{"argv":["a"]},{"argv":["a"],"depends_on":[99]}]})") ==
        "#/chain/1/depends_on/0");
  CHECK(pointer(R"({"group":[{"argv":["a"]}],"then":{"argv":["a"],"user":"no-such-user"}})") ==
        "#/then/user");
  CHECK(pointer(R"({"tasks":{"a/b":{"argv":["a"],"queue":"nope"}}})") == "#/tasks/a~1b/queue");
  CHECK(api.rows() == 0);
}

}  // namespace
}  // namespace taskd::test
