#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

std::string every_byte() {
  std::string bytes;
  for (int byte = 1; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

}  // namespace

TEST_CASE("arguments, variables and folders of any bytes reach the job as they are") {
  const TestDaemon daemon;
  const std::string bytes = every_byte();
  const std::string folder = daemon.dir() / "caf\xe9";
  REQUIRE(run({"mkdir", folder}).exit_code == 0);
  const std::string id = daemon.submit({"--cwd", folder, "--env", "V=" + bytes, "--", "sh", "-c",
                                        "printf '%s|%s|%s' \"$1\" \"$V\" \"$(pwd)\"", "sh", bytes});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  const std::string expected = bytes + "|" + bytes + "|" + folder;
  CHECK(daemon.ctl({"logs", id}).out == expected);
  CHECK(daemon.show(id).at("argv")[4].contains("base64"));

  // Copies, retries, edits and what is shown.
  const std::string copy = daemon.submit({"--like", id});
  daemon.wait(copy);
  CHECK(daemon.ctl({"logs", copy}).out == expected);
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"list"}, {"list", "--json"}, {"show", id}, {"why", id}}) {
    const RunResult shown = daemon.ctl(verb);
    CHECK(shown.exit_code == 0);
    CHECK(shown.out.find('\xff') == std::string::npos);
  }
  CHECK(daemon.ctl({"retry", id}).exit_code == 0);
  daemon.wait(id);
  CHECK(daemon.ctl({"logs", id}).out == expected);
}

TEST_CASE("a program whose name is no text that is missing is named readably") {
  const TestDaemon daemon;
  const RunResult result = daemon.ctl({"run", "--", "./no-such-\xff"});
  CHECK(result.exit_code == 127);
  CHECK(contains(result.err, "no-such-\\xff"));
}

TEST_CASE("submit --each-line -0 takes any file name, one task each") {
  const TestDaemon daemon;
  const std::string folder = daemon.dir() / "files";
  REQUIRE(run({"mkdir", folder}).exit_code == 0);
  const std::vector<std::string> names = {"a\nb", "caf\xe9", "cr\r", " blank ", "\xEF\xBB\xBFmark"};
  for (const std::string& name : names) write_text(folder + "/" + name, name);
  const RunResult submitted = run({"sh", "-c",
                                   "cd " + folder + " && find . -type f -print0 | " +
                                       taskctl_path() + " submit --each-line - --null -- cat {}"},
                                  {.env = {{"TASKD_SOCKET", daemon.socket()}}});
  CHECK(submitted.out == "1\n2\n3\n4\n5\n");
  std::string all;
  for (int id = 1; id <= 5; ++id) {
    CHECK(daemon.wait(std::to_string(id)).at("state") == "succeeded");
    all += daemon.ctl({"logs", std::to_string(id)}).out;
  }
  for (const std::string& name : names) CHECK(contains(all, name));
  const RunResult alone = daemon.ctl({"submit", "-0", "--", "true"});
  CHECK(alone.exit_code == 64);
}

TEST_CASE("a file of an editor of Windows is read as one of ours, wherever a file is taken") {
  const TestDaemon daemon({.config = "[handlers.echo]\nshell = \"cat\"\n"});
  const std::string mark = "\xEF\xBB\xBF";
  const auto file = [&](const std::string& name, const std::string& text) {
    write_text(daemon.dir() / name, mark + text);
    return daemon.dir() / name;
  };
  CHECK(daemon
            .ctl({"submit", "--from",
                  file("a", "{\"argv\":[\"true\"]}\r\n\r\n{\"argv\":[\"true\"]}")})
            .out == "1\n2\n");
  CHECK(daemon.ctl({"submit", "--each-line", file("b", "one\r\ntwo\r\n"), "--", "echo"}).out ==
        "3\n4\n");
  daemon.wait("3");
  CHECK(daemon.ctl({"logs", "3"}).out == "one\n");
  CHECK(
      daemon.ctl({"run", "--handler", "echo", "--payload", "@" + file("c", "{\"a\":1}\r\n")}).out ==
      "{\"a\":1}");
  for (const char* name : {"w.json", "w.toml"}) {
    const std::string text = std::string(name) == "w.json"
                                 ? "{\"chain\":\r\n[{\"argv\":[\"true\"]}]}\r\n"
                                 : "[[chain]]\r\nargv = [\"true\"]\r\n";
    const RunResult result = daemon.ctl({"workflow", "submit", file(name, text)});
    CHECK_MESSAGE(result.exit_code == 0, result.err);
  }
}
