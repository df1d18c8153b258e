#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/daemon.h"
#include "tests/support/users.h"

using namespace taskd::test;

namespace {

bool is_first_byte_of_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

}  // namespace

TEST_CASE("list shows the newest first and filters by state, queue, name and label") {
  const TestDaemon daemon({.workers = 2, .config = "[queues.mail]\n"});
  daemon.submit({"--hold", "--name", "one", "--label", "team=red", "--", "true"});
  daemon.submit({"--hold", "--queue", "mail", "--label", "team=blue", "--", "true"});
  daemon.wait(daemon.submit({"--name", "three", "--", "false"}));
  CHECK(listed_ids(daemon.ctl_json({"list"})) == std::vector{3, 2, 1});
  CHECK(listed_ids(daemon.ctl_json({"list", "--state", "held"})) == std::vector{2, 1});
  CHECK(listed_ids(daemon.ctl_json({"list", "--state", "held,failed"})) == std::vector{3, 2, 1});
  CHECK(listed_ids(daemon.ctl_json({"list", "--queue", "mail"})) == std::vector{2});
  CHECK(listed_ids(daemon.ctl_json({"list", "--label", "team=red"})) == std::vector{1});
  CHECK(listed_ids(daemon.ctl_json({"list", "--name", "three"})) == std::vector{3});
  CHECK(listed_ids(daemon.ctl_json({"list", "--state", "running"})).empty());
}

TEST_CASE("list filters by array, workflow, key, reason and times") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--array", "1-3", "--", "true"});
  daemon.submit({"--hold", "--key", "customer", "--", "true"});
  daemon.wait(daemon.submit({"--", "false"}));
  CHECK(listed_ids(daemon.ctl_json({"list", "--array", "1"})) == std::vector{3, 2, 1});
  CHECK(daemon.ctl({"list", "--array", "2"}).exit_code == 66);  // not the first of it
  CHECK(listed_ids(daemon.ctl_json({"list", "--key", "customer"})) == std::vector{4});
  CHECK(listed_ids(daemon.ctl_json({"list", "--reason", "exit"})) == std::vector{5});
  CHECK(listed_ids(daemon.ctl_json({"list", "--dead"})) == std::vector{5});
  CHECK(listed_ids(daemon.ctl_json({"list", "--ended-since", "1h"})) == std::vector{5});
  CHECK(listed_ids(daemon.ctl_json({"list", "--ended-before", "1h"})).empty());
  CHECK(listed_ids(daemon.ctl_json({"list", "--until", "1h"})).empty());
  CHECK(listed_ids(daemon.ctl_json({"list", "--since", "1h"})).size() == 5);
  CHECK(daemon.ctl({"list", "--since", "1h", "--until", "2h"}).exit_code == 64);
  CHECK(daemon.ctl({"list", "--reason", "bored"}).exit_code == 64);
  CHECK(daemon.ctl({"wait", "--dead"}).exit_code == 64);
}

TEST_CASE(
    "a filter that names a queue, a key, a user or a workflow that is not there is refused, "
    "whatever the verb") {
  const TestDaemon daemon({.workers = 2, .config = "[queues.mail]\n"});
  const std::string id = daemon.submit({"--queue", "mail", "--key", "customer", "--", "false"});
  daemon.wait(id);
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"list"},
                                             {"show"},
                                             {"logs"},
                                             {"wait"},
                                             {"cancel"},
                                             {"retry"},
                                             {"hold"},
                                             {"release"},
                                             {"rm"},
                                             {"prune"},
                                             {"move", "mail"},
                                             {"signal", "USR1"}}) {
    CAPTURE(verb.front());
    const auto refused = [&](std::vector<std::string> filter, const std::string& what,
                             int code = 66) {
      filter.insert(filter.begin(), verb.begin(), verb.end());
      const RunResult result = daemon.ctl(filter);
      CHECK(result.exit_code == code);
      CHECK_MESSAGE(contains(result.err, what), result.err);
    };
    refused({"--queue", "mial"}, "--queue: there is no queue \"mial\"");
    refused({"--key", "nosuch"}, "--key: no task has the key \"nosuch\"");
    refused({"--user", "nobody-there"}, "--user: there is no user \"nobody-there\"");
    refused({"--workflow", "999"}, "--workflow: there is no workflow 999");
    refused({"--array", "999"}, "--array: there is no array whose first task is 999");
  }
  CHECK(daemon.ctl({"retry", "--queue", "mial", "--dry-run"}).exit_code == 66);
  CHECK(daemon.state(id) == "failed");
  CHECK(listed_ids(daemon.ctl_json({"list", "--queue", "default"})).empty());
}

TEST_CASE("list goes on over pages and stops at its limit") {
  const TestDaemon daemon;
  for (int i = 0; i < 7; ++i) daemon.submit({"--hold", "--", "true"});
  CHECK(listed_ids(daemon.ctl_json({"list", "--limit", "3"})) == std::vector{7, 6, 5});
  CHECK(listed_ids(daemon.ctl_json({"list", "--limit", "50"})).size() == 7);
}

TEST_CASE("on a terminal list shows the newest that fit and says how many more there are") {
  const TestDaemon daemon;
  for (int i = 0; i < 12; ++i) daemon.submit({"--hold", "--name", "task", "--", "true"});
  const auto shown = [&](const std::vector<std::string>& options) {
    Terminal terminal(10, 80);
    RunOptions on_terminal;
    on_terminal.output_file = terminal.path();
    std::vector<std::string> args = {"list", "--color", "never"};
    args.insert(args.end(), options.begin(), options.end());
    CHECK(daemon.ctl(args, on_terminal).exit_code == 0);
    return terminal.shown();
  };
  const auto lines = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  const std::string fitting = shown({});
  CAPTURE(fitting);
  CHECK(lines(fitting) == 9);  // the prompt stands on the last
  CHECK(fitting.find("\n12  held") != std::string::npos);
  CHECK(fitting.find("\n 6  held") != std::string::npos);
  CHECK(fitting.find("… 5 more (--limit N, --all)") != std::string::npos);
  CHECK(lines(shown({"--all"})) == 13);
  CHECK(lines(shown({"--limit", "11"})) == 13);
  CHECK(lines(shown({"1-12"})) == 13);
  CHECK(lines(daemon.ctl({"list"}).out) == 13);
}

TEST_CASE("on a terminal root sees whose the tasks are if they are not all of one user") {
  if (!can_make_users()) return;
  const SystemUsers users(1);
  const TestDaemon daemon({.workers = 1, .for_all_users = true});
  daemon.submit({"--hold", "--", "true"});
  const auto shown = [&] {
    Terminal terminal(24, 80);
    RunOptions on_terminal;
    on_terminal.output_file = terminal.path();
    CHECK(daemon.ctl({"list", "--color", "never"}, on_terminal).exit_code == 0);
    return terminal.shown();
  };
  CHECK(shown().find("USER") == std::string::npos);
  const RunResult submitted =
      users.run(users[0], {taskctl_path(), "submit", "--hold", "--cwd", "/", "--", "true"},
                daemon.with_socket());
  REQUIRE_MESSAGE(submitted.exit_code == 0, submitted.err);
  const std::string table = shown();
  CHECK(table.find("USER") != std::string::npos);
  CHECK(contains(table, users[0].name));
  CHECK(daemon.ctl({"list"}).out.find("USER") == std::string::npos);
}

TEST_CASE("names from others cannot steer the terminal") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--", "printf", "\x1b[31mred\x1b]0;title\x07 \xe2\x80\xae"});
  const RunResult table = daemon.ctl({"list"});
  CHECK(table.exit_code == 0);
  CHECK(table.out.find('\x1b') == std::string::npos);
  CHECK(table.out.find("\xe2\x80\xae") == std::string::npos);
}

TEST_CASE("the table fits a narrow terminal and has no colours when asked for none") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--name", std::string(150, 'n'), "--", "true"});
  Terminal terminal(24, 100);
  RunOptions narrow;
  narrow.env["COLUMNS"] = "60";
  // Into a pipe or a file everything is written in full.
  CHECK(contains(daemon.ctl({"list"}, narrow).out, std::string(150, 'n')));
  narrow.output_file = terminal.path();
  CHECK(daemon.ctl({"list", "--color", "never"}, narrow).exit_code == 0);
  const std::string table = terminal.shown();
  CHECK(contains(table, "nnn"));
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    CHECK(std::count_if(line.begin(), line.end(), is_first_byte_of_character) <= 60);
  }
  CHECK(daemon.ctl({"list", "--color", "always"}).out.find("\x1b[") != std::string::npos);
}

TEST_CASE("a wrong filter is refused and named") {
  const TestDaemon daemon;
  const RunResult state = daemon.ctl({"list", "--state", "sleeping"});
  CHECK(state.exit_code == 64);
  CHECK(state.err.find("sleeping") != std::string::npos);
  CHECK(daemon.ctl({"list", "--limit", "0"}).exit_code == 64);
  CHECK(daemon.ctl({"list", "--label", "noequals"}).exit_code == 64);
}
