// Stopping a tree: on request, at the timeout, and when only stragglers are left.

#include <algorithm>
#include <fstream>

#include "tests/unit/process/fixture.h"

namespace taskd {
namespace {

// Tells its pid, ignores TERM, stays. $1 is the fifo.
const std::string kStubborn = "trap \"\" TERM; echo $$ > $FIFO; while :; do sleep 1000; done";

struct StopFixture : Fixture {
  Fifo told = fifo("told");

  Launch job(const std::string& text) {
    Launch launch = shell(text);
    launch.spec.env["FIFO"] = told.path();
    launch.spec.env["STUBBORN"] = kStubborn;
    launch.spec.grace_ms = 0;
    return launch;
  }
};

TEST_CASE_FIXTURE(StopFixture, "a stopped attempt is cancelled") {
  Launch launch = job("echo $$ > $FIFO; exec sleep 1000");
  launch.spec.grace_ms = 3'600'000;  // TERM is enough
  const auto live = start(launch);
  const Witness command(told.read_line());
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
  CHECK(command.is_dead());
}

TEST_CASE_FIXTURE(StopFixture, "a stop reaches an attempt that has hardly begun") {
  for (int i = 0; i < 20; ++i) {
    const auto live = start(job("exec sleep 1000"));
    live->stop();
    live->stop();
    CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
    live->stop();  // after the end it does nothing
  }
}

TEST_CASE_FIXTURE(StopFixture, "a job may clean up within its grace") {
  // The child tells: until it has become sleep, a shell's handlers may swallow its TERM.
  Launch launch =
      job("trap 'echo bye; exit 3' TERM;"
          "sh -c 'echo > $FIFO; exec sleep 1000' & wait");
  launch.spec.grace_ms = 3'600'000;
  const auto live = start(launch);
  told.read_line();
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
  CHECK(out(launch) == "bye\n");
}

TEST_CASE_FIXTURE(StopFixture, "a process that is stopped by SIGSTOP still gets its TERM") {
  Launch launch = job("trap 'exit 0' TERM; echo $$ > $FIFO; kill -STOP $$; sleep 1000");
  launch.spec.grace_ms = 3'600'000;
  const auto live = start(launch);
  const Witness command(told.read_line());
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
  CHECK(command.is_dead());
}

TEST_CASE_FIXTURE(StopFixture, "nothing of a tree survives a stop, whatever it does") {
  // Own sessions, double forks, TERM ignored, and parents that are gone.
  Launch launch =
      job("setsid sh -c \"$STUBBORN\" &"
          "(setsid sh -c '(sh -c \"$STUBBORN\" &) ; exit 0' &);"
          "sh -c \"$STUBBORN\" & sh -c \"$STUBBORN\"");
  launch.spec.grace_ms = 50;
  const auto live = start(launch);
  std::vector<std::unique_ptr<Witness>> tree;
  for (int i = 0; i < 4; ++i) tree.push_back(std::make_unique<Witness>(told.read_line()));
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
  for (const auto& process : tree) CHECK(process->is_dead());
}

TEST_CASE_FIXTURE(StopFixture, "a tree that forks while it dies is killed to the last") {
  const Launch launch =
      job("i=0; while [ $i -lt 2000 ]; do (sleep 1000 &) ; i=$((i+1));"
          "[ $i = 50 ] && echo > $FIFO; done; sleep 1000");
  const auto live = start(launch);
  told.read_line();
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
  stop_daemon();
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // nothing was left to come to us
}

TEST_CASE_FIXTURE(StopFixture, "an attempt that runs too long is timed out with its whole tree") {
  Launch launch = job("setsid sh -c \"$STUBBORN\" & sh -c \"$STUBBORN\"");
  launch.spec.timeout_ms = 300;
  launch.spec.grace_ms = 50;
  const auto live = start(launch);
  const Witness first(told.read_line());
  const Witness second(told.read_line());
  CHECK(finish(*live).outcome == Outcome{OutcomeKind::timed_out, 0, ""});
  CHECK(first.is_dead());
  CHECK(second.is_dead());
}

TEST_CASE_FIXTURE(StopFixture, "an attempt within its timeout is not touched by it") {
  Launch launch = job("exit 5");
  launch.spec.timeout_ms = 3'600'000;
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 5, ""});
}

TEST_CASE_FIXTURE(StopFixture,
                  "what a command leaves in the background is ended, its result stands") {
  const Launch launch = job("setsid sh -c \"$STUBBORN\" & sh -c 'read x < $GO'; exit 6");
  Fifo go = fifo("go");
  Launch with_go = launch;
  with_go.spec.env["GO"] = go.path();
  const auto live = start(with_go);
  const Witness straggler(told.read_line());
  go.write_line("now");
  CHECK(finish(*live).outcome == Outcome{OutcomeKind::exited, 6, ""});
  CHECK(straggler.is_dead());
}

TEST_CASE_FIXTURE(StopFixture, "a job that signals its whole group does not hit its shim") {
  CHECK(run(job("kill -9 0")).outcome == Outcome{OutcomeKind::signaled, SIGKILL, ""});
  CHECK(run(job("kill -15 0")).outcome == Outcome{OutcomeKind::signaled, SIGTERM, ""});
}

TEST_CASE_FIXTURE(StopFixture, "signals other than TERM do nothing to the shim") {
  const Launch launch = job("echo $$ > $FIFO; read x < $GO; exit 8");
  Fifo go = fifo("go");
  Launch with_go = launch;
  with_go.spec.env["GO"] = go.path();
  const auto live = start(with_go);
  told.read_line();
  for (const int signal : {SIGINT, SIGHUP, SIGUSR1, SIGQUIT, SIGPIPE}) {
    CHECK(::kill(std::stoi(shim_pid(with_go)), signal) == 0);
  }
  go.write_line("now");
  CHECK(finish(*live).outcome == Outcome{OutcomeKind::exited, 8, ""});
}

TEST_CASE_FIXTURE(StopFixture, "an attempt that is stopped for its silence counts as timed out") {
  const Launch launch = job("echo > $FIFO; exec sleep 1000");
  const auto live = start(launch);
  told.read_line();
  live->stop_stalled();
  live->stop_stalled();
  const Outcome outcome = finish(*live).outcome;
  CHECK(outcome == Outcome{OutcomeKind::timed_out, 0, "no progress was reported in time"});
  live->stop_stalled();  // after the end it does nothing
}

TEST_CASE_FIXTURE(StopFixture, "a signal reaches the whole process group of the command") {
  const auto live = start(job(
      "trap 'echo outer > $FIFO' USR1; "
      "sh -c 'trap \"echo inner > $FIFO\" USR1; echo ready > $FIFO; while :; do sleep 1; done' & "
      "while :; do wait; done"));
  CHECK(told.read_line() == "ready");
  CHECK(live->signal(SIGUSR1));
  std::vector<std::string> heard = {told.read_line(), told.read_line()};
  std::sort(heard.begin(), heard.end());
  CHECK(heard == std::vector<std::string>{"inner", "outer"});
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
}

TEST_CASE_FIXTURE(StopFixture, "no signal is lost however fast they come") {
  const auto live =
      start(job("trap 'n=$((n+1)); echo $n > $FIFO' USR1; n=0; echo > $FIFO; while :; do sleep "
                "1000 & wait; done"));
  told.read_line();
  for (int i = 1; i <= 20; ++i) {
    CHECK(live->signal(SIGUSR1));
    CHECK(told.read_line() == std::to_string(i));
  }
  live->stop();
  finish(*live);
}

TEST_CASE_FIXTURE(StopFixture, "a command that a sent signal ends is signaled, not cancelled") {
  for (const int signal : {SIGTERM, SIGKILL}) {
    Launch launch = job("echo > $FIFO; exec sleep 1000");
    launch.attempt = signal;
    const auto live = start(launch);
    told.read_line();
    CHECK(live->signal(signal));
    CHECK(finish(*live).outcome == Outcome{OutcomeKind::signaled, signal, ""});
    CHECK_FALSE(live->signal(signal));
  }
}

TEST_CASE_FIXTURE(StopFixture, "an adopted attempt hears signals as a fresh one does") {
  Launch launch = job(
      "trap 'echo heard > $FIFO; exit 4' USR1; echo > $FIFO; while :; do sleep 1000 & wait; done");
  start(launch);  // and forgotten
  told.read_line();
  PosixLauncher next(config);
  auto found = next.recover(launch, boot_id);
  LiveAttempt& live = *std::get<std::unique_ptr<LiveAttempt>>(found);
  CHECK(live.signal(SIGUSR1));
  CHECK(told.read_line() == "heard");
  CHECK(finish(live).outcome == Outcome{OutcomeKind::exited, 4, ""});
}

TEST_CASE_FIXTURE(StopFixture, "a shim that has not started its command is sent no signal for it") {
  Launch launch = job("echo > $FIFO; exec sleep 1000");
  const auto live = start(launch);
  told.read_line();
  const std::string lock = folder(launch) + "/lock";
  std::ofstream(lock) << "shim " << shim_pid(launch) << "\n";
  CHECK_FALSE(live->signal(SIGKILL));
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
}

}  // namespace
}  // namespace taskd
