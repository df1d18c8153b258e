#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <cstring>

#include "daemon/base/text.h"
#include "tests/support/daemon.h"
#include "tests/support/http_receiver.h"

using namespace taskd::test;

namespace {

using nlohmann::json;

constexpr char kSecret[] = "a secret of more than 16 bytes";

std::string web_hook(const HttpReceiver& server, const std::string& more = "") {
  return "[hooks.web]\nurl = \"" + server.url("/in") + "\"\n" + more;
}

std::string command_hook(const std::string& script, const std::string& more = "") {
  return "[hooks.cmd]\ncommand = [\"/bin/sh\", \"-c\", '''" + script + "''']\n" + more;
}

std::vector<json> deliveries(const TestDaemon& daemon, const std::string& id) {
  return daemon.show(id).at("deliveries").get<std::vector<json>>();
}

// Blocks until the task's deliveries are all through.
void wait_until_told(const TestDaemon& daemon, const std::string& id) {
  for (int i = 0; i < 6000; ++i) {
    bool pending = false;
    for (const json& delivery : deliveries(daemon, id))
      pending |= delivery.at("state") == "pending";
    if (!pending) return;
  }
  FAIL("deliveries still wait");
}

// What `openssl dgst -sha256 -hmac` says.
std::string hmac(const std::string& text) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  REQUIRE(::HMAC(::EVP_sha256(), kSecret, static_cast<int>(std::strlen(kSecret)),
                 reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac,
                 &length) != nullptr);
  return taskd::to_hex({reinterpret_cast<const char*>(mac), length});
}

}  // namespace

TEST_CASE("a webhook is told of a task's life, signed, in versioned JSON with the env masked") {
  HttpReceiver server;
  const TempDir secrets;
  write_text(secrets / "secret", std::string(kSecret) + "\n");
  ::chmod((secrets / "secret").c_str(), 0600);
  const TestDaemon daemon({.config = web_hook(server, "secret_file = \"" + (secrets / "secret") +
                                                          "\"\non = [\"failed\"]\n")});
  const std::string id = daemon.submit(
      {"--notify", "web", "--env", "TOKEN=hunter2", "--name", "report", "--shell", "exit 3"});
  daemon.wait(id);
  const auto request = server.wait_for(1).at(0);
  CHECK(request.line == "POST /in HTTP/1.1");
  const json document = json::parse(request.body);
  CHECK(document.at("version") == 1);
  CHECK(document.at("event") == "failed");
  CHECK(document.at("hook") == "web");
  CHECK(document.at("delivery") == request.headers.at("Taskd-Delivery"));
  CHECK(document.at("task").at("id") == std::stoi(id));
  CHECK(document.at("task").at("state") == "failed");
  CHECK(document.at("task").at("exit_code") == 3);
  CHECK(document.at("task").at("env").at("TOKEN") == "***");
  CHECK(request.body.find("hunter2") == std::string::npos);
  CHECK(request.headers.at("Taskd-Signature") ==
        "sha256=" + hmac(request.headers.at("Taskd-Timestamp") + "." + request.body));
  wait_until_told(daemon, id);
  const json told = deliveries(daemon, id).at(0);
  CHECK(told.at("state") == "delivered");
  CHECK(told.at("id") == document.at("delivery"));
  const RunResult shown = daemon.ctl({"show", id});
  CHECK(shown.out.find("told        web of failed: delivered") != std::string::npos);
  CHECK(shown.out.find("notify      web\n") != std::string::npos);
}

TEST_CASE("a hook that answers 500 twice is told again, with the same id") {
  HttpReceiver server(
      [](const auto&, std::size_t index) { return HttpReceiver::status(index < 2 ? 500 : 200); });
  const TestDaemon daemon({.config = web_hook(server)});
  const std::string id = daemon.submit({"--notify", "web:succeeded", "--", "true"});
  daemon.wait(id);
  const auto requests = server.wait_for(3);
  CHECK(requests[0].headers.at("Taskd-Delivery") == requests[2].headers.at("Taskd-Delivery"));
  wait_until_told(daemon, id);
  CHECK(deliveries(daemon, id).at(0).at("tries") == 3);
}

TEST_CASE("a command gets the document on stdin and the task in its environment") {
  const TempDir out;
  const TestDaemon daemon(
      {.config = command_hook("cat > " + (out / "doc") +
                              "; echo \"$TASKD_HOOK $TASKD_EVENT "
                              "$TASKD_TASK_ID $TASKD_STATE $TASKD_EXIT_CODE $TASKD_COMMAND\" > " +
                              (out / "tmp") + "; mv " + (out / "tmp") + " " + (out / "env"))});
  const std::string id = daemon.submit({"--notify", "cmd", "--", "sh", "-c", "exit 4"});
  wait_for_file(out / "env");
  CHECK(read_text(out / "env") == "cmd failed " + id + " failed 4 sh -c 'exit 4'\n");
  CHECK(json::parse(read_text(out / "doc")).at("task").at("reason") == "exit");
}

TEST_CASE("a queue tells its hooks of all its tasks") {
  HttpReceiver server;
  const TestDaemon daemon(
      {.config = web_hook(server) + "[queues.mail]\nnotify = [\"web:submitted\"]\n"});
  daemon.submit({"--queue", "mail", "--hold", "--", "true"});
  server.wait_for(1);
  CHECK(daemon.ctl_json({"queue", "show", "mail"}).at("notify") == json{"web:submitted"});
  CHECK(daemon.ctl({"queue", "set", "mail", "--notify", "none"}).exit_code == 0);
  CHECK(daemon.ctl_json({"queue", "show", "mail"}).at("notify") == json::array());
  CHECK(daemon.ctl({"queue", "set", "mail", "--notify", "web:cancelled"}).exit_code == 0);
  daemon.ctl({"cancel", "--queue", "mail"});
  CHECK(json::parse(server.wait_for(2).at(1).body).at("event") == "cancelled");
}

TEST_CASE("a hook that is not declared is refused, naming the field") {
  HttpReceiver server;
  const TestDaemon daemon({.config = web_hook(server)});
  const RunResult submit =
      daemon.ctl({"submit", "--notify", "web", "--notify", "mial:failed", "--", "true"});
  CHECK(submit.exit_code == 65);
  CHECK(submit.err ==
        "taskctl: --notify: there is no hook \"mial\"; the daemon's configuration "
        "declares them\n");
  CHECK(daemon.ctl({"queue", "set", "q", "--notify", "nobody"}).exit_code == 65);
  CHECK(daemon.ctl({"queue", "show", "q"}).exit_code != 0);
  const RunResult schedule =
      daemon.ctl({"schedule", "add", "s", "--every", "10m", "--notify", "nobody", "--", "true"});
  CHECK(schedule.exit_code == 65);
  CHECK(schedule.err.find("--notify: ") != std::string::npos);
  CHECK(daemon.ctl({"submit", "--notify", "web:exploded", "--", "true"}).exit_code == 64);
  CHECK(
      daemon.ctl({"submit", "--notify", "web", "--notify", "web:failed", "--", "true"}).exit_code ==
      65);
}

TEST_CASE("a hook that hangs delays no task, no other hook and not the stop of the daemon") {
  HttpReceiver dead(
      [](const auto&, std::size_t) { return HttpReceiver::Answer{.bytes = "", .hang = true}; });
  HttpReceiver alive;
  const TempDir out;
  TestDaemon daemon(
      {.config = web_hook(dead, "timeout = \"10m\"\n") +
                 command_hook("echo > " + (out / "runs") + "; sleep 1000", "timeout = \"10m\"\n") +
                 "[hooks.alive]\nurl = \"" + alive.url() + "\"\n"});
  daemon.submit({"--notify", "web", "--notify", "cmd", "--", "true"});
  dead.wait_for(1);
  wait_for_file(out / "runs");
  const std::string other = daemon.submit({"--notify", "web", "--notify", "alive", "--", "true"});
  CHECK(daemon.wait(other).at("state") == "succeeded");
  alive.wait_for(1);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(daemon.stop().exit_code == 0);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));  // of some minutes
  daemon.start();
  dead.wait_for(2);
  CHECK(dead.received().at(0).headers.at("Taskd-Delivery") ==
        dead.received().at(1).headers.at("Taskd-Delivery"));
}

TEST_CASE("what was sent when the daemon was killed, and not recorded, is sent again") {
  const TempDir out;
  // The first run kills the daemon under itself.
  const std::string script = "echo $TASKD_DELIVERY >> " + (out / "ids") + "; if [ ! -e " +
                             (out / "once") + " ]; then touch " + (out / "once") +
                             "; kill -9 $PPID; exit 0; fi; touch " + (out / "done");
  TestDaemon daemon({.config = command_hook(script)});
  const std::string id = daemon.submit({"--notify", "cmd", "--", "true"});
  wait_for_file(out / "once");
  daemon.restart_after_kill9();
  wait_for_file(out / "done");
  const std::string ids = read_text(out / "ids");
  REQUIRE(ids.size() == 66);
  CHECK(ids.substr(0, 33) == ids.substr(33));
  wait_until_told(daemon, id);
  CHECK(deliveries(daemon, id).at(0).at("tries") == 1);
}

TEST_CASE("a hook that is taken out of the configuration gives up what waited for it") {
  HttpReceiver dead([](const auto&, std::size_t) { return HttpReceiver::status(500); });
  TestDaemon daemon({.config = web_hook(dead)});
  const std::string id = daemon.submit({"--notify", "web", "--", "true"});
  dead.wait_for(1);
  daemon.stop();
  daemon.set_config("");
  daemon.start();
  const json told = deliveries(daemon, id).at(0);
  CHECK(told.at("state") == "failed");
  CHECK(told.at("error") == "the hook is not declared any more");
  CHECK(daemon.ctl({"hooks"}).err ==
        "taskctl: no hook is declared; see [hooks.NAME] in taskctl.toml(5)\n");
}

TEST_CASE("hooks are listed and tested, and the doctor sees one that fails") {
  HttpReceiver server([](const auto&, std::size_t) { return HttpReceiver::status(500); });
  const TestDaemon daemon(
      {.config = web_hook(server, "max_attempts = 1\n") + command_hook("echo hello >&2; exit 0")});
  CHECK(daemon.ctl({"doctor"}).out.find("hooks: 2, none failing") != std::string::npos);
  const std::string id = daemon.submit({"--notify", "web", "--", "true"});
  daemon.wait(id);
  wait_until_told(daemon, id);
  const json hooks = daemon.ctl_json({"hooks", "list"}).at("hooks");
  CHECK(hooks.at(0).at("name") == "cmd");
  CHECK(hooks.at(1).at("failed") == 1);
  CHECK(hooks.at(1).at("last_error") == "it answered 500; given up: tried once");
  CHECK(daemon.ctl({"hooks"}).out.find("given up: tried once") != std::string::npos);
  CHECK(
      daemon.ctl({"doctor"}).out.find("warn  hook: web has 0 deliveries waiting and 1 given up") !=
      std::string::npos);
  const RunResult bad = daemon.ctl({"hooks", "test", "web"});
  CHECK(bad.exit_code == 1);
  CHECK(bad.err.find("it answered 500") != std::string::npos);
  const RunResult good = daemon.ctl({"hooks", "test", "cmd"});
  CHECK(good.exit_code == 0);
  CHECK(good.err.find("it wrote: hello") != std::string::npos);
  CHECK(daemon.ctl({"hooks", "test", "nobody"}).exit_code == 66);
}

TEST_CASE("a wrong hook keeps the daemon from starting, with the line and the reason") {
  const TempDir dir;
  write_text(dir / "open", kSecret);
  ::chmod((dir / "open").c_str(), 0644);
  write_text(dir / "short", "short");
  ::chmod((dir / "short").c_str(), 0600);
  const std::pair<std::string, std::string> rows[] = {
      {"[hooks.a]\n", "1: hooks.a: exactly one of \"command\" and \"url\" is needed"},
      {"[hooks.a]\nurl = \"http://x\"\ncommand = [\"/bin/true\"]\n", "exactly one of"},
      {"[hooks.a]\ncommand = [\"true\"]\n",
       "2: hooks.a.command: the program must have an absolute"},
      {"[hooks.a]\ncommand = [\"/nonexistent\"]\n", "cannot run /nonexistent"},
      {"[hooks.a]\ncommand = []\n", "expected an array of strings"},
      {"[hooks.a]\nurl = \"ftp://x\"\n", "expected http://HOST/PATH"},
      {"[hooks.a]\nurl = \"http://x\"\non = [\"exploded\"]\n",
       "3: hooks.a.on: \"exploded\" is not an event"},
      {"[hooks.a]\nurl = \"http://x\"\ntimeout = \"1h\"\n",
       "expected a time from \"100ms\" to \"10m\""},
      {"[hooks.a]\nurl = \"http://x\"\nmax_attempts = 0\n",
       "expected a whole number from 1 to 1000"},
      {"[hooks.a]\nurl = \"http://x\"\nsecret_file = \"" + (dir / "open") + "\"\n", "chmod 600"},
      {"[hooks.a]\nurl = \"http://x\"\nsecret_file = \"" + (dir / "short") + "\"\n",
       "less than 16 bytes"},
      {"[hooks.a]\nurl = \"http://x\"\nsecret_file = \"/nonexistent\"\n",
       "cannot open /nonexistent"},
      {"[hooks.a]\ncommand = [\"/bin/true\"]\nsecret_file = \"" + (dir / "open") + "\"\n",
       "hooks.a"},
      {"[hooks.a]\nurl = \"http://x\"\ncolour = 1\n", "3: hooks.a.colour: unknown setting"},
      {"[queues.q]\nnotify = [\"a\"]\n", "2: queues.q.notify: there is no [hooks.a]"},
      {"[hooks]\na = 1\n", "expected a table"},
  };
  for (const auto& [text, wanted] : rows) {
    CAPTURE(text);
    write_text(dir / "taskctl.toml", text);
    const RunResult result =
        run({taskd_path(), "--config", dir / "taskctl.toml", "--check-config"}, {});
    CHECK(result.exit_code == 78);
    CHECK_MESSAGE(result.err.find(wanted) != std::string::npos, result.err);
  }
}

TEST_CASE("the mail hook sends a mail whose headers no task's name can forge") {
  const TempDir out;
  write_text(out / "sendmail", "#!/bin/sh\nfor a; do echo \"$a\"; done > " + (out / "args") +
                                   "\ncat > " + (out / "tmp") + "\nmv " + (out / "tmp") + " " +
                                   (out / "mail") + "\n");
  ::chmod((out / "sendmail").c_str(), 0755);
  const TestDaemon daemon({.config = "[hooks.mail]\ncommand = [\"" TASKD_SOURCE_DIR
                                     "/examples/hooks/sendmail\", \"--program\", \"" +
                                     (out / "sendmail") +
                                     "\", \"--from\", \"taskd@example.org\", \"ops@example.org\", "
                                     "\"-x@example.org\"]\n"});
  const std::string id = daemon.submit(
      {"--notify", "mail:failed", "--shell", "exit 3\n#x\nBcc: evil@example.org\n\nü\x1b[2J"});
  wait_for_file(out / "mail");
  CHECK(read_text(out / "args") == "-i\n--\nops@example.org\n-x@example.org\n");
  const std::string mail = read_text(out / "mail");
  const std::string head = mail.substr(0, mail.find("\n\n"));
  CHECK(head.find("From: taskd@example.org\nTo: ops@example.org, -x@example.org\nSubject: [taskd] "
                  "task " +
                  id + " failed on ") == 0);
  CHECK(head.find("\nBcc:") == std::string::npos);
  CHECK(head.find("exit 3?#x?Bcc: evil@example.org??") != std::string::npos);
  CHECK(mail.find("\nExit code: 3\n") != std::string::npos);
  CHECK(mail.find("ü[2J") != std::string::npos);
  const json told = deliveries(daemon, id).at(0);
  CHECK(head.find("\nMessage-ID: <" + told.at("id").get<std::string>() + "@") != std::string::npos);
  CHECK(run({"rm", out / "mail"}).exit_code == 0);
  CHECK(daemon.ctl({"hooks", "test", "mail"}).exit_code == 0);
  CHECK(read_text(out / "mail").find("Subject: [taskd] test of the hook mail on ") !=
        std::string::npos);
}
