#include "ctl/options/selector.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "daemon/base/errors.h"

using namespace taskd;
using namespace taskd::ctl;

namespace {

constexpr WallTime kNow{1'700'000'000'000};

Selection of_words(std::vector<std::string> words) {
  SelectorOptions options;
  options.words = std::move(words);
  return parse_selection(options, kNow);
}

int code_of(const SelectorOptions& options) {
  try {
    parse_selection(options, kNow);
  } catch (const UsageError& e) {
    return e.exit_code;
  }
  return 0;
}

int code_of_word(const std::string& word) {
  SelectorOptions options;
  options.words = {word};
  return code_of(options);
}

}  // namespace

TEST_CASE("names, ranges, indexes, commas and last make one list without repetitions") {
  const Selection selection = of_words({"12", "15-17,3", "16", "last", "12", "7[2],7[3-5]"});
  CHECK(selection.words ==
        std::vector<std::string>{"12", "15-17", "3", "16", "last", "7[2]", "7[3-5]"});
  CHECK(selection.by_id());
  CHECK_FALSE(selection.by_filter());
  CHECK(names_to_query(selection.words).starts_with("tasks=12&tasks=15-17&"));
  CHECK(names_to_query({"7[2]"}) == "tasks=7%5B2%5D");
}

TEST_CASE("what is no name of a task is refused with the word in question") {
  for (const char* word : {"0",      "-1",     "abc",   "",     "1,",
                           ",",      "1-",     "-",     "1--2", "20-15",
                           "1e3",    "01",     " 1",    "１",   "9223372036854775808",
                           "1;2",    "last-3", "1[",    "1[]",  "1[2",
                           "1[3-2]", "1-2[3]", "1[2]3", "[3]",  "last[1]",
                           "1[-1]"}) {
    CAPTURE(word);
    CHECK(code_of_word(word) == 64);
  }
}

TEST_CASE("one name that is no range is one task, as far as the words tell") {
  for (const char* word : {"12", "last", "12[0]"}) CHECK(one_task({word}) == word);
  for (const char* word : {"1-2", "12[1-2]", "x", "1,2"})
    CHECK_THROWS_AS(one_task({word}), UsageError);
  CHECK_THROWS_AS(one_task({}), UsageError);
  CHECK_THROWS_AS(one_task({"1", "2"}), UsageError);
}

TEST_CASE("a filter goes to the API in its own words") {
  SelectorOptions options;
  options.states = {"failed,cancelled", "failed"};
  options.labels = {"team=web", "empty=", "eq=a=b"};
  options.queue = "night ly";
  options.user = "0";
  options.since = "1h";
  const Selection selection = parse_selection(options, kNow);
  CHECK(selection.by_filter());
  CHECK_FALSE(selection.by_id());
  CHECK(filter_to_json(selection) ==
        nlohmann::json::parse(R"({"state":["failed","cancelled"],"queue":"night ly","user":"0",
            "labels":{"team":"web","empty":"","eq":"a=b"},"since":"2023-11-14T21:13:20.000Z"})"));
  CHECK(filter_to_query(selection) ==
        "label=empty%3D&label=eq%3Da%3Db&label=team%3Dweb&queue=night%20ly&"
        "since=2023-11-14T21%3A13%3A20.000Z&state=failed&state=cancelled&user=0");
}

TEST_CASE("every word of a filter reaches the API, in a body and in a query") {
  SelectorOptions options;
  options.reasons = {"timeout,oom", "timeout"};
  options.array = "17";
  options.workflow = "3";
  options.key = "customer 7";
  options.name = "n";
  options.until = "1h";
  options.ended_since = "2d";
  options.ended_before = "1d";
  const Selection selection = parse_selection(options, kNow);
  CHECK(filter_to_json(selection) ==
        nlohmann::json::parse(R"({"reason":["timeout","oom"],"array":17,"workflow":3,
            "key":"customer 7","name":"n","until":"2023-11-14T21:13:20.000Z",
            "ended_since":"2023-11-12T22:13:20.000Z","ended_before":"2023-11-13T22:13:20.000Z"})"));
  CHECK(filter_to_query(selection) ==
        "array=17&ended_before=2023-11-13T22%3A13%3A20.000Z&"
        "ended_since=2023-11-12T22%3A13%3A20.000Z&key=customer%207&name=n&reason=timeout&"
        "reason=oom&until=2023-11-14T21%3A13%3A20.000Z&workflow=3");
  options = {};
  options.dead = true;
  CHECK(filter_to_json(parse_selection(options, kNow)) == nlohmann::json{{"dead", true}});
  CHECK(filter_to_query(parse_selection(options, kNow)) == "dead=true");
}

TEST_CASE("nothing selects nothing") {
  const Selection selection = of_words({});
  CHECK_FALSE(selection.by_id());
  CHECK_FALSE(selection.by_filter());
  CHECK(filter_to_json(selection) == nlohmann::json::object());
  CHECK(filter_to_query(selection).empty());
}

TEST_CASE("ids and a filter together are a mistake") {
  SelectorOptions options;
  options.words = {"1"};
  options.states = {"failed"};
  CHECK(code_of(options) == 64);
  options.words = {"last"};
  CHECK(code_of(options) == 64);
}

TEST_CASE("wrong filters are refused before anybody is asked") {
  SelectorOptions options;
  options.states = {"done"};
  CHECK(code_of(options) == 64);
  options = {};
  options.labels = {"novalue"};
  CHECK(code_of(options) == 64);
  options.labels = {"=v"};
  CHECK(code_of(options) == 64);
  options = {};
  options.since = "yesterday";
  CHECK(code_of(options) == 64);
  options.since = "1h";
  options.until = "2h";
  CHECK(code_of(options) == 64);
  options = {};
  options.ended_since = "1h";
  options.ended_before = "2h";
  CHECK(code_of(options) == 64);
  options = {};
  options.reasons = {"bored"};
  CHECK(code_of(options) == 64);
  options.reasons = {"exit"};
  CHECK(code_of(options) == 0);
  options.dead = true;
  CHECK(code_of(options) == 64);
  for (const char* id : {"0", "-1", "x", "", "1-3"}) {
    options = {};
    options.array = id;
    CHECK(code_of(options) == 64);
    options = {};
    options.workflow = id;
    CHECK(code_of(options) == 64);
  }
  options = {};
  options.queue = "\xff";
  CHECK(code_of(options) == 65);
}
