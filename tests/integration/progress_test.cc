#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

// A job that calls taskctl.
std::vector<std::string> job(const std::string& line, std::vector<std::string> options = {}) {
  options.insert(options.end(), {"--env", "CTL=" + taskctl_path(), "--shell", line});
  return options;
}

void wait_for_progress(const TestDaemon& daemon, const std::string& id, int percent) {
  for (int i = 0; i < 600; ++i) {
    const auto progress = daemon.show(id).at("progress");
    if (progress.is_object() && progress.at("percent") == percent) return;
    ::usleep(20'000);
  }
  FAIL("the progress was never told");
}

void wait_for_text(const std::string& path, const std::string& text) {
  for (int i = 0; i < 600; ++i) {
    if (contains(read_text(path), text)) return;
    ::usleep(20'000);
  }
  FAIL(path, " never said: ", text);
}

// A job under `set -e` that reports while the daemon is away, which `leave` sees to.
void report_over_a_restart(void (*leave)(TestDaemon&)) {
  TestDaemon daemon;
  const std::string gate = daemon.dir() / "gate";
  const std::string said = daemon.dir() / "said";
  REQUIRE(run({"mkfifo", gate}).exit_code == 0);
  const std::string id =
      daemon.submit(job("set -e; $CTL progress 1; cat " + gate + "; $CTL progress 50 2> " + said +
                        "; echo '{\"rows\":7}' | $CTL result -"));
  wait_for_progress(daemon, id, 1);
  leave(daemon);
  write_text(gate, "go");
  wait_for_text(said, "waiting up to 30s");
  daemon.start();
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "succeeded");
  CHECK(task.at("attempt") == 1);
  CHECK(task.at("progress").at("percent") == 50);
  CHECK(daemon.ctl({"result", id}).out == "{\"rows\":7}\n");
}

}  // namespace

TEST_CASE("a job tells its progress, and show, list and JSON pass it on") {
  const TestDaemon daemon;
  const std::string gate = daemon.dir() / "gate";
  REQUIRE(run({"mkfifo", gate}).exit_code == 0);
  const std::string id = daemon.submit(job("$CTL progress 45 --message 'half way' && cat " + gate));
  wait_for_progress(daemon, id, 45);
  CHECK(daemon.ctl({"show", id}).out.find("45%, half way") != std::string::npos);
  CHECK(daemon.ctl({"list"}).out.find("45%, half way") != std::string::npos);
  write_text(gate, "go");
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.show(id).at("progress").at("message") == "half way");
}

TEST_CASE("what was told right before the end and before the daemon stops is there later") {
  TestDaemon daemon;
  const std::string id = daemon.submit(job("for i in 1 2 3; do $CTL progress $i; done"));
  CHECK(daemon.wait(id).at("state") == "succeeded");
  daemon.stop();
  daemon.start();
  CHECK(daemon.show(id).at("progress").at("percent") == 3);
}

TEST_CASE("progress outside of a job, or with a wrong number, is a usage error") {
  const TestDaemon daemon;
  CHECK(daemon.ctl({"progress", "45"}).exit_code == 64);
  const std::map<std::string, std::string> inside = {
      {"TASKD_TASK_ID", "1"}, {"TASKD_ATTEMPT", "1"}, {"TASKD_TOKEN", "t"}};
  CHECK(daemon.ctl({"progress", "101"}, {.env = inside}).exit_code == 64);
  CHECK(daemon.ctl({"progress", "x"}, {.env = inside}).exit_code == 64);
  CHECK(daemon.ctl({"progress", "1", "2"}, {.env = inside}).exit_code == 64);
  CHECK(daemon.ctl({"progress", "45"}, {.env = inside}).exit_code == 73);
}

TEST_CASE("a job that promised progress and reports none is stopped as a timeout that says so") {
  const TestDaemon daemon;
  const std::string id =
      daemon.submit({"--progress-timeout", "200ms", "--timeout", "1h", "--", "sleep", "1000"});
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "failed");
  CHECK(task.at("reason") == "timeout");
  CHECK(task.at("error") == "no progress was reported in time");
  CHECK(daemon.ctl({"show", id}).out.find("timeout (no progress") != std::string::npos);
  const std::string limited = daemon.submit({"--timeout", "100ms", "--", "sleep", "1000"});
  CHECK(daemon.wait(limited).at("error") == nullptr);
}

TEST_CASE("a job that keeps its promise may take its time") {
  const TestDaemon daemon;
  const std::string id =
      daemon.submit(job("for i in 1 2 3 4 5 6 7 8; do sleep 0.25; $CTL progress || exit 9; done",
                        {"--progress-timeout", "1500ms"}));
  CHECK(daemon.wait(id).at("state") == "succeeded");
}

TEST_CASE("the promise holds over a restart of the daemon") {
  TestDaemon daemon;
  const std::string id =
      daemon.submit(job("$CTL progress 7; exec sleep 1000", {"--progress-timeout", "2s"}));
  wait_for_progress(daemon, id, 7);
  daemon.restart_after_kill9();
  const auto task = daemon.wait(id);
  CHECK(task.at("reason") == "timeout");
  CHECK(task.at("attempt") == 1);
  CHECK(task.at("progress").at("percent") == 7);
}

TEST_CASE("a job that reports while the daemon is killed and started again goes on") {
  report_over_a_restart([](TestDaemon& daemon) { daemon.kill9(); });
}

TEST_CASE("a job that reports while the daemon is stopped and started again goes on") {
  report_over_a_restart([](TestDaemon& daemon) { daemon.stop(); });
}

TEST_CASE("a report gives up on a daemon that stays away, with 69") {
  TestDaemon daemon;
  const RunOptions inside = {
      .env = {{"TASKD_TASK_ID", "1"}, {"TASKD_ATTEMPT", "1"}, {"TASKD_TOKEN", "t"}}};
  daemon.kill9();
  const RunResult once = daemon.ctl({"progress", "45", "--timeout", "0"}, inside);
  CHECK(once.exit_code == 69);
  CHECK_FALSE(contains(once.err, "waiting"));
  const RunResult some = daemon.ctl({"result", "{}", "--timeout", "300ms"}, inside);
  CHECK(some.exit_code == 69);
  CHECK(contains(some.err, "waiting up to 300ms"));
  daemon.start();
  CHECK(daemon.ctl({"result", "1", "--timeout", "1s"}).exit_code == 64);
}
