// From the command line and the environment to a request: verbs, sockets, submit's options.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "ctl/commands/verbs.h"
#include "ctl/net/client.h"
#include "ctl/options/submit_options.h"
#include "daemon/base/errors.h"
#include "daemon/task/spec_json.h"
#include "tests/support/temp_dir.h"

using namespace taskd;
using namespace taskd::ctl;

namespace {

struct Sent {
  NewTask task;
  int code = 0;  // of the UsageError, if there was one
};

// What these options of submit ask for, in this environment.
Sent submit(const Words& argv, std::vector<const char*> environment = {}) {
  environment.push_back(nullptr);
  const SystemClock clock;
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  Context context{Environment(environment.data()), Output(null.get()), clock};
  SubmitOptions options;
  Args args("submit", {"", "", ""});
  options.declare(args);
  Sent sent;
  try {
    REQUIRE(args.parse(argv, context.out));
    auto task = new_task_from_json(options.to_body(context));
    REQUIRE(std::holds_alternative<NewTask>(task));
    sent.task = std::get<NewTask>(std::move(task));
  } catch (const UsageError& e) {
    sent.code = e.exit_code;
  }
  return sent;
}

std::string socket_of(std::vector<const char*> environment,
                      const std::optional<std::string>& option = {}) {
  environment.push_back(nullptr);
  try {
    return find_socket(option, Environment(environment.data()));
  } catch (const UsageError& e) {
    return std::to_string(e.exit_code);
  }
}

// What taskctl prints; it must succeed, and no daemon is there.
std::string answer_to(const Words& argv) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  {
    const SystemClock clock;
    const char* const nothing[] = {nullptr};
    Context context{Environment(nothing), Output(out.get()), clock};
    CHECK(run_taskctl(context, argv) == 0);
  }
  out.reset();
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(in.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

}  // namespace

TEST_CASE("the daemon is looked for where the words say, then where daemons are") {
  CHECK(socket_of({}) == "/run/taskctl/taskctl.sock");
  CHECK(socket_of({"TASKD_SOCKET=/a/b"}) == "/a/b");
  CHECK(socket_of({"TASKD_SOCKET=/a/b"}, "/c") == "/c");
  CHECK(socket_of({"XDG_RUNTIME_DIR=/nonexistent"}) == "/run/taskctl/taskctl.sock");
  CHECK(socket_of({"TASKD_SOCKETS=/a/b"}) == "/run/taskctl/taskctl.sock");

  const taskd::test::TempDir folder;
  std::filesystem::create_directory(folder / "taskctl");
  const std::string variable = "XDG_RUNTIME_DIR=" + folder.path();
  CHECK(socket_of({variable.c_str()}) == "/run/taskctl/taskctl.sock");
  std::ofstream(folder / "taskctl/taskctl.sock") << "x";
  CHECK(socket_of({variable.c_str()}) == folder / "taskctl/taskctl.sock");
}

TEST_CASE("a path that no socket can have is refused by whoever wrote it") {
  const std::string longest(107, 'x');
  const std::string too_long(108, 'x');
  CHECK(socket_of({}, longest) == longest);
  CHECK(socket_of({}, too_long) == "64");
  CHECK(socket_of({}, "") == "64");
  CHECK(socket_of({("TASKD_SOCKET=" + too_long).c_str()}) == "78");
  CHECK(socket_of({"TASKD_SOCKET="}) == "78");
}

TEST_CASE("every option of submit reaches its field") {
  const Sent sent = submit({"--name",  "n",
                            "-q",      "q",
                            "-p",      "high",
                            "--delay", "1m",
                            "--hold",  "--timeout",
                            "2m",      "--grace",
                            "3s",      "--max-attempts",
                            "4",       "--retry-delay",
                            "5s",      "--retry-max-delay",
                            "6m",      "--backoff",
                            "linear",  "--retry-on",
                            "1,2",     "--retry-on",
                            "timeout", "--no-retry-on",
                            "signal",  "--on-lost",
                            "fail",    "--max-lost",
                            "7",       "--env",
                            "A=1=2",   "--env",
                            "B=",      "--cwd",
                            "/srv",    "--umask",
                            "27",      "--label",
                            "k=v=w",   "--keep",
                            "8d",      "--user",
                            "www",     "--",
                            "cmd",     "[a,b]"});
  CHECK(sent.code == 0);
  const TaskSpec& spec = sent.task.spec;
  CHECK(spec.argv == Words{"cmd", "[a,b]"});
  CHECK(spec.name == "n");
  CHECK(spec.queue == "q");
  CHECK(spec.priority == 10);
  CHECK(sent.task.delay_ms == 60'000);
  CHECK(sent.task.hold);
  CHECK(spec.timeout_ms == 120'000);
  CHECK(spec.grace_ms == 3000);
  CHECK(spec.max_attempts == 4);
  CHECK(spec.backoff.kind == BackoffKind::linear);
  CHECK(spec.backoff.initial_ms == 5000);
  CHECK(spec.backoff.max_ms == 360'000);
  REQUIRE(spec.retry_on.size() == 3);
  CHECK(spec.retry_on[1].exit_code == 2);
  CHECK(spec.retry_on[2].reason == Reason::timeout);
  REQUIRE(spec.no_retry_on.size() == 1);
  CHECK(spec.on_lost == OnLost::fail);
  CHECK(spec.max_lost == 7);
  CHECK(spec.env == std::map<std::string, std::string>{{"A", "1=2"}, {"B", ""}});
  CHECK(spec.cwd == "/srv");
  CHECK(spec.process.umask == 027);
  CHECK(spec.labels == std::map<std::string, std::string>{{"k", "v=w"}});
  CHECK(spec.keep_ms == 8LL * 86'400'000);
  CHECK(spec.user_name == "www");
}

TEST_CASE("the environment sent is small unless all of it is asked for") {
  const std::vector<const char*> here = {"PATH=/bin", "LC_ALL=C", "HOME=/root", "TERM=xterm",
                                         "SECRET=1",  "TZ=UTC0",  "LANG=C",     "=odd"};
  using Env = std::map<std::string, std::string>;
  const Env small = {{"PATH", "/bin"}, {"LC_ALL", "C"}, {"TZ", "UTC0"}, {"LANG", "C"}};
  CHECK(submit({"--", "x"}, here).task.spec.env == small);
  CHECK(submit({"--env-all", "--", "x"}, here).task.spec.env.size() == 7);
  CHECK(submit({"--env", "SECRET", "--env", "PATH=/x", "--", "x"}, here).task.spec.env ==
        Env{{"PATH", "/x"}, {"LC_ALL", "C"}, {"TZ", "UTC0"}, {"LANG", "C"}, {"SECRET", "1"}});
  CHECK(submit({"--env", "MISSING", "--", "x"}, here).code == 64);
}

TEST_CASE("the folder is this one, or the one named from here") {
  const std::string here = std::filesystem::current_path();
  CHECK(submit({"--", "x"}).task.spec.cwd == here);
  CHECK(submit({"--cwd", "sub", "--", "x"}).task.spec.cwd == here + "/sub");
  CHECK(submit({"--cwd", "", "--", "x"}).code == 64);
}

TEST_CASE("the umask is this one, or the one named") {
  const mode_t before = ::umask(0077);
  CHECK(submit({"--", "x"}).task.spec.process.umask == 077);
  CHECK(submit({"--umask", "0", "--", "x"}).task.spec.process.umask == 0);
  for (const char* wrong : {"", "8", "1000", "u=rwx", "-1"})
    CHECK(submit({"--umask", wrong, "--", "x"}).code == 64);
  ::umask(before);
}

TEST_CASE("arguments, paths and values travel byte by byte, names must be text") {
  CHECK(submit({"--", "a\xff", "\xed\xa0\x80"}).task.spec.argv == Words{"a\xff", "\xed\xa0\x80"});
  CHECK(submit({"--shell", "\xff"}).task.spec.shell == "\xff");
  CHECK(submit({"--env", "A=\xff", "--", "x"}).task.spec.env.at("A") == "\xff");
  CHECK(submit({"--cwd", "/\xff", "--", "x"}).task.spec.cwd == "/\xff");
  CHECK(submit({"--", "x"}, {"PATH=\xff", "LANG=C"}).task.spec.env.at("PATH") == "\xff");
  CHECK(submit({"--name", "\xff", "--", "x"}).code == 65);
  CHECK(submit({"--env", "\xff=1", "--", "x"}).code == 65);
  CHECK(submit({"--label", "a=\xff", "--", "x"}).code == 65);
}

TEST_CASE("a submit that makes no sense is a usage error") {
  for (const Words& argv : std::vector<Words>{{},
                                              {"--"},
                                              {"--", ""},
                                              {"--shell", ""},
                                              {"--shell", "x", "--", "y"},
                                              {"--delay", "1s", "--at", "12:00", "--", "x"},
                                              {"--priority", "big", "--", "x"},
                                              {"--max-attempts", "many", "--", "x"},
                                              {"--max-attempts", "99999999999", "--", "x"},
                                              {"--retry-on", "1,", "--", "x"},
                                              {"--backoff", "random", "--", "x"},
                                              {"--on-lost", "cry", "--", "x"},
                                              {"--label", "k", "--", "x"},
                                              {"--timeout", "-5s", "--", "x"}}) {
    CAPTURE(argv);
    CHECK(submit(argv).code == 64);
  }
}

TEST_CASE("an option that the daemon would refuse is refused before it is asked") {
  for (const Words& argv : std::vector<Words>{{"--retry-on", "256", "--", "x"},
                                              {"--slots", "0", "--", "x"},
                                              {"--nice", "20", "--", "x"},
                                              {"--nice", "-1", "--", "x"},
                                              {"--notify", "a", "--notify", "a:failed", "--", "x"},
                                              {"--name", "a\nb", "--", "x"},
                                              {"--unique", "#u", "--", "x"},
                                              {"--after", "1,1:any", "--", "x"}}) {
    CAPTURE(argv);
    CHECK(submit(argv).code == 65);
  }
}

TEST_CASE("a mistyped verb is recognised") {
  CHECK(nearest_verb("lits") == "list");
  CHECK(nearest_verb("sumbit") == "submit");
  CHECK(nearest_verb("canc") == "cancel");
  CHECK(nearest_verb("relase") == "release");
  CHECK(nearest_verb("xyzzy") == "");
  CHECK(nearest_verb("") == "");
  CHECK(nearest_verb(std::string(100'000, 'a')) == "");
  CHECK(find_verb("submit") != nullptr);
  CHECK(find_verb("sub") == nullptr);
}

TEST_CASE("every verb has a help of its own, and no two options of one name") {
  for (const Verb& verb : all_verbs()) {
    if (verb.run == daemon_command) continue;  // it would become the daemon, whose help this is
    CAPTURE(verb.name);
    const std::string help = answer_to({std::string(verb.name), "--help"});
    CHECK(help == answer_to({"help", std::string(verb.name)}));
    std::istringstream lines(help.substr(std::min(help.find("\nOptions:"), help.size())));
    std::set<std::string> names;
    for (std::string line; std::getline(lines, line) && line != "Examples:";) {
      if (line.find_first_not_of(' ') > 6) continue;
      std::istringstream words(line);
      for (std::string word; words >> word && word.starts_with('-');) {
        CAPTURE(word);
        CHECK(names.insert(word.substr(0, word.find(','))).second);
      }
    }
  }
}
