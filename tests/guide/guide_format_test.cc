// The reader of the guide and its comparison: what they take, and above all what they refuse.
#include <doctest/doctest.h>

#include "tests/support/guide.h"

using namespace taskd::test;

TEST_CASE("a guide is read as sections of files and commands with their output") {
  const auto sections = parse_guide(
      "# Title\n\n## One\n\n```toml\n# taskctl.toml\nworkers = 2\n```\n"
      "```console\n$ cat <<END\n> a\n> END\na\n$ true\n```\n## Two\n```sh\nnot a file\n```\n");
  REQUIRE(sections.size() == 2);
  const GuideSection& one = sections[0];
  CHECK(one.title == "One");
  REQUIRE(one.files.size() == 1);
  CHECK(one.files[0].name == "taskctl.toml");
  CHECK(one.files[0].text == "# taskctl.toml\nworkers = 2\n");
  REQUIRE(one.examples.size() == 2);
  CHECK(one.examples[0].line == 10);
  CHECK(one.examples[0].command == "cat <<END\na\nEND");
  CHECK(one.examples[0].output == std::vector<std::string>{"a"});
  CHECK(one.examples[1].output.empty());
  CHECK(sections[1].files.empty());
}

TEST_CASE("a guide that is not whole is refused") {
  CHECK_THROWS(parse_guide("```console\n$ true\n```\n"));
  CHECK_THROWS(parse_guide("## One\n```console\n$ true\n"));
  CHECK_THROWS(parse_guide("## One\n```\n$ true\n```\n"));
  CHECK_THROWS(parse_guide("## One\n```console\n$ true\n```\n```console\noutput\n```\n"));
}

TEST_CASE("a line is compared exactly but for the width of gaps and what … stands for") {
  CHECK(line_matches("ID  STATE", "ID     STATE  "));
  CHECK_FALSE(line_matches("ID  STATE", "IDSTATE"));
  CHECK_FALSE(line_matches("a", "a b"));
  CHECK_FALSE(line_matches("a b", "a"));
  CHECK(line_matches("took …, exit 0", "took 12ms, exit 0"));
  CHECK_FALSE(line_matches("took …, exit 0", "took 12ms, exit 1"));
  CHECK_FALSE(line_matches("took …, exit 0", "it took 12ms, exit 0"));
  CHECK(line_matches("… a … b …", "x a y b z"));
  CHECK_FALSE(line_matches("… a … b …", "x b y a z"));
  CHECK_FALSE(line_matches("ab…bc", "abc"));
}

TEST_CASE("a line that is … alone stands for any lines, and others must be there") {
  CHECK(output_matches({"a", "…", "c"}, {"a", "b", "b", "c"}));
  CHECK(output_matches({"a", "…", "c"}, {"a", "c"}));
  CHECK_FALSE(output_matches({"a", "…", "c"}, {"a", "b"}));
  CHECK_FALSE(output_matches({"a"}, {}));
  CHECK_FALSE(output_matches({}, {"a"}));
  CHECK(output_matches({"…"}, {}));
}
