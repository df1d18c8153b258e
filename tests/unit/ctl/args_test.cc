#include "ctl/options/args.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

using namespace taskd;
using namespace taskd::ctl;

namespace {

using Words = std::vector<std::string>;

struct Parsed {
  bool flag = false;
  std::optional<std::string> name;
  Words env;
  Words words;
  Words command;
  bool command_given = false;
};

// Declares a bit of everything; `with_command` as submit has it, else with words.
Parsed parse(const Words& argv, bool with_command) {
  Parsed parsed;
  Args args("verb", {"[OPTIONS]", "Does things.", "  taskctl verb\n"});
  args.flag("-f,--flag", parsed.flag, "a flag");
  args.option("-n,--name", "NAME", parsed.name, "a name");
  args.list("--env", "K=V", parsed.env, "a variable");
  if (with_command)
    args.command(parsed.command, parsed.command_given);
  else
    args.words(parsed.words);
  Output out(STDOUT_FILENO);
  const bool goes_on = args.parse(argv, out);
  CHECK(goes_on);
  return parsed;
}

std::string complaint(const Words& argv, bool with_command) {
  try {
    parse(argv, with_command);
  } catch (const UsageError& e) {
    CHECK(e.exit_code == 64);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("what stands after -- is kept to the byte") {
  const Words command = {"[a,b]", "[]", "{}", "%%", "", "--flag", "-n", "--", "\xff\n", "a=b"};
  Words argv = {"-f", "--"};
  argv.insert(argv.end(), command.begin(), command.end());
  const Parsed parsed = parse(argv, true);
  CHECK(parsed.flag);
  CHECK(parsed.command_given);
  CHECK(parsed.command == command);
}

TEST_CASE("a -- without a command is told from no --") {
  CHECK(parse({"--"}, true).command_given);
  CHECK_FALSE(parse({}, true).command_given);
}

TEST_CASE("values keep brackets, braces, blanks and dashes") {
  for (const std::string value :
       {"[a,b]", "[]", "{}", "%%", "", "-x", "a b", "--flag", "x=[1,2]"}) {
    CAPTURE(value);
    const Parsed parsed = parse({"--name", value, "--env", value, "--env", value}, true);
    CHECK(parsed.name == value);
    CHECK(parsed.env == Words{value, value});
    const Parsed joined = parse({"--name=" + value, "--env=" + value}, true);
    CHECK(joined.name == value);
    CHECK(joined.env == Words{value});
  }
}

TEST_CASE("a list takes one value each time, and words follow freely") {
  const Parsed parsed = parse({"1", "--env", "A=1", "2", "-fn", "x", "3"}, false);
  CHECK(parsed.env == Words{"A=1"});
  CHECK(parsed.words == Words{"1", "2", "3"});
  CHECK(parsed.flag);
  CHECK(parsed.name == "x");
}

TEST_CASE("an option given twice is refused, however it is written") {
  CHECK(complaint({"--name", "a", "--name=b"}, false) == "--name is given twice");
  CHECK(complaint({"-n", "a", "1", "--name", "a"}, false) == "--name is given twice");
  CHECK(complaint({"-na", "-nb"}, false) == "--name is given twice");
  CHECK(complaint({"--name=", "--name=a"}, false) == "--name is given twice");
}

TEST_CASE("words after -- are words for verbs without a command") {
  CHECK(parse({"1", "--", "-5", "--flag"}, false).words == Words{"1", "-5", "--flag"});
}

TEST_CASE("a wrong command line is told in one line") {
  CHECK(complaint({"--bogus"}, false) == "unknown option --bogus");
  CHECK(complaint({"-x"}, false) == "unknown option -x");
  CHECK(complaint({"1", "-5"}, false) == "unknown option -5");
  CHECK(complaint({"--name"}, false) == "--name needs a value");
  CHECK(complaint({"sleep", "5"}, true) ==
        "put \"--\" before the command: taskctl verb -- sleep …");
  CHECK(complaint({"--b\x1b[31m"}, false) == "unknown option --b\\x1b[31m");
  CHECK(complaint({"--flag=maybe"}, false).find('\n') == std::string::npos);
  CHECK_FALSE(complaint({"--flag=maybe"}, false).empty());
}

TEST_CASE("--help is answered with everything that was declared") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const UniqueFd in(ends[0]);
  const UniqueFd out(ends[1]);
  bool flag = false;
  Args args("verb", {"[OPTIONS] ID…", "Does things.", "  taskctl verb 1\n"});
  args.flag("-f,--flag", flag, "first line\nsecond line");
  Output output(out.get());
  CHECK_FALSE(args.parse({"--bogus", "--help"}, output));
  output.flush();
  char buffer[4096];
  const ssize_t length = ::read(in.get(), buffer, sizeof buffer);
  REQUIRE(length > 0);
  const std::string help(buffer, static_cast<std::size_t>(length));
  CHECK(help ==
        "Usage: taskctl verb [OPTIONS] ID…\n\nDoes things.\n\nOptions:\n"
        "  -f, --flag                first line\n"
        "                            second line\n"
        "  -h, --help                show this help\n"
        "\nExamples:\n  taskctl verb 1\n");
}
