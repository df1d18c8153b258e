// What a job reads and leaves in the files of its own.

#include "daemon/process/job_files.h"

#include <sys/resource.h>

#include <fstream>
#include <optional>
#include <system_error>

#include "tests/unit/process/fixture.h"

namespace taskd {
namespace {

TEST_CASE_FIXTURE(Fixture, "what a job writes into its result file is its result") {
  const AttemptEnd end = run(shell("echo '{\"rows\" : 17}' > $TASKD_RESULT_FILE; exit 3"));
  CHECK(end.outcome == Outcome{OutcomeKind::exited, 3, ""});
  CHECK(end.result == "{\"rows\":17}");
}

TEST_CASE_FIXTURE(Fixture,
                  "a job that writes no result has none, and nothing is left of the pipe") {
  const Launch launch = shell("test -p $TASKD_RESULT_FILE");
  const AttemptEnd end = run(launch);
  CHECK(end.outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK_FALSE(end.result);
  CHECK(end.result_problem.empty());
  launcher().cleanup_attempt(1, 1);
  CHECK_FALSE(std::filesystem::exists(folder(launch)));
}

struct ResultFixture : Fixture {
  AttemptEnd end_of(const std::string& script) {
    Launch launch = shell(script);
    launch.attempt = ++attempt_;
    const AttemptEnd end = run(launch);
    CHECK(end.outcome == Outcome{OutcomeKind::exited, 0, ""});
    return end;
  }
  AttemptEnd end_after_writing(const std::string& text) {
    const std::string file = dir.path() + "/text";
    std::ofstream(file) << text;
    return end_of("cat " + file + " > $TASKD_RESULT_FILE");
  }

 private:
  int attempt_ = 0;
};

TEST_CASE_FIXTURE(ResultFixture,
                  "any one JSON value of 64 KiB is a result; more and else is told") {
  for (const std::string text : {"17", "-1.5", "null", "\"text\"", "[1,2]", "\"a \\\" b\""}) {
    CHECK(end_after_writing(text).result == text);
  }
  const std::string most = "\"" + std::string(kMaxResultBytes - 2, 'x') + "\"";
  CHECK(end_after_writing(most).result == most);
  for (const std::string text : {"{", "[1}", "{\"a\":1,\"a\":2}", "01", "\"\xff\""}) {
    CAPTURE(text);
    const AttemptEnd end = end_after_writing(text);
    CHECK_FALSE(end.result);
    CHECK(end.result_problem.starts_with("at byte "));
  }
  for (const std::string text : {"not json", "total 17", "}", "oops {}", "\xff 1"}) {
    CAPTURE(text);
    const AttemptEnd end = end_after_writing(text);
    CHECK_FALSE(end.result);
    CHECK(end.result_problem == "it is not JSON");
  }
  const AttemptEnd large = end_after_writing("[" + most + "]");
  CHECK_FALSE(large.result);
  CHECK(large.result_problem == "it has more than 65536 bytes");
}

TEST_CASE_FIXTURE(ResultFixture, "of several results the last counts, however they are written") {
  const std::string forty_kb = "\"" + std::string(40'000, 'x') + "\"";
  std::string many;
  for (int i = 0; i < 20; ++i) many += forty_kb;
  CHECK(end_after_writing(many + "[1]").result == "[1]");
  CHECK(end_after_writing("[" + std::string(70'000, ' ') + "] {\"a\": [\"}\"]}").result ==
        "{\"a\":[\"}\"]}");
  CHECK(end_of("for i in 1 2 3; do echo $i > $TASKD_RESULT_FILE; done").result == "3");
  CHECK(end_of("echo '{\"a\":' > $TASKD_RESULT_FILE; sleep 0.05; echo '1}' >> $TASKD_RESULT_FILE")
            .result == "{\"a\":1}");
  CHECK(
      end_of("echo 7 > " + dir.path() + "/a; cp " + dir.path() + "/a $TASKD_RESULT_FILE").result ==
      "7");
  CHECK(end_of("exec 3> $TASKD_RESULT_FILE; echo '[8]' >&3; exec sleep 0.05").result == "[8]");
  CHECK(end_of("echo 9 | tee $TASKD_RESULT_FILE > /dev/null").result == "9");
  if (std::filesystem::exists("/usr/bin/python3")) {
    CHECK(end_of("python3 -c 'import json, os\nwith open(os.environ[\"TASKD_RESULT_FILE\"], "
                 "\"w\") as f: json.dump({\"n\": 1}, f, indent=2)'")
              .result == "{\"n\":1}");
  }
}

TEST_CASE_FIXTURE(ResultFixture, "a result without end takes no room on the disk") {
  const AttemptEnd end = end_of(
      "timeout 1 cat /dev/zero > $TASKD_RESULT_FILE; "
      "test $(du -s --block-size=1 ${TASKD_RESULT_FILE%/*} | cut -f1) -lt 100000");
  CHECK(end.result_problem == "it is not JSON");
  CHECK(end_of("seq 1 200000 > $TASKD_RESULT_FILE; echo 2 > $TASKD_RESULT_FILE").result == "2");
}

TEST_CASE_FIXTURE(ResultFixture,
                  "a file in the place of the pipe is taken, anything else is told") {
  const std::string secret = dir.path() + "/secret";
  std::ofstream(secret) << "{}";
  CHECK(end_of("echo 1 > $TASKD_RESULT_FILE.new && mv $TASKD_RESULT_FILE.new $TASKD_RESULT_FILE")
            .result == "1");
  CHECK(end_of("echo 1 > $TASKD_RESULT_FILE; rm $TASKD_RESULT_FILE").result == "1");
  for (const std::string& put :
       {"ln -s " + secret, "ln " + secret, std::string("mkfifo"), std::string("mkdir")}) {
    const AttemptEnd end = end_of("rm $TASKD_RESULT_FILE && " + put + " $TASKD_RESULT_FILE");
    CHECK_FALSE(end.result);
    CHECK(end.result_problem == "it could not be read or kept");
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "a lack of descriptors delays an end with its result and drops nothing") {
  const auto live = start(shell("echo '[5]' > $TASKD_RESULT_FILE; echo last words >&2"));
  wait_readable(live->pidfd());
  rlimit given{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &given) == 0);
  // Let one more and one more be opened, so that each place where it may fail has its turn.
  std::optional<AttemptEnd> end;
  int failures = 0;
  for (rlim_t room = 0; !end && room < 20; ++room) {
    const UniqueFd next(::dup(0));
    const rlimit low{static_cast<rlim_t>(next.get()) + room, given.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    try {
      end = live->reap();
    } catch (const std::system_error& e) {
      CHECK(is_shortage(e));
      ++failures;
    }
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &given) == 0);
  }
  REQUIRE(end);
  CHECK(failures > 0);
  CHECK(end->outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(end->result == "[5]");
  CHECK(end->stderr_tail == "last words\n");
}

TEST_CASE_FIXTURE(Fixture, "a result outlives the daemon, and the machine") {
  Launch launch = shell("echo '{\"n\":1}' > $TASKD_RESULT_FILE; echo done");
  start(launch);  // and forgotten, as by a daemon that dies
  wait_for_output(launch, "done");
  CHECK(recover(launch).result == "{\"n\":1}");
  CHECK(recover(launch, "another boot").result == "{\"n\":1}");
}

TEST_CASE_FIXTURE(Fixture, "a job reads the files it is given, where its environment says") {
  Launch launch = shell("cat \"$SOME_FILE\"; test ! -w \"$SOME_FILE\" || test $(id -u) = 0");
  launch.files.push_back({kDependenciesFile, "SOME_FILE", [](const auto& write) {
                            write("in ");
                            write("pieces");
                          }});
  const AttemptEnd end = run(launch);
  CHECK(end.outcome == Outcome{OutcomeKind::exited, 0, ""});
  wait_for_output(launch, "in pieces");
  launcher().cleanup_attempt(1, 1);
  CHECK_FALSE(std::filesystem::exists(folder(launch) + "/" + kDependenciesFile));
}

TEST_CASE_FIXTURE(Fixture, "the payload of a handler is its stdin, for nobody else to read") {
  Launch launch =
      shell("cat; stat -c ' %a %u' \"$TASKD_PAYLOAD_FILE\"; cat < \"$TASKD_PAYLOAD_FILE\"");
  launch.spec.handler = "any";
  launch.files.push_back(
      {kPayloadFile, "TASKD_PAYLOAD_FILE", [](const auto& write) { write("[1]"); }});
  if (is_root()) launch.uid = kNobody;
  const AttemptEnd end = run(launch);
  CHECK(end.outcome == Outcome{OutcomeKind::exited, 0, ""});
  wait_for_output(launch, "[1] 444 " + std::to_string(::geteuid()) + "\n[1]");
  launcher().cleanup_attempt(1, 1);
  CHECK_FALSE(std::filesystem::exists(folder(launch) + "/" + kPayloadFile));
}

TEST_CASE_FIXTURE(Fixture, "a file that cannot be written makes the start a failed one") {
  Launch launch = shell("true");
  launch.files.push_back({kDependenciesFile, "SOME_FILE", [](const auto&) {
                            throw std::system_error(ENOSPC, std::generic_category(), "no room");
                          }});
  const AttemptEnd end = refused(launch);
  CHECK(end.outcome.kind == OutcomeKind::not_started);
  CHECK(end.outcome.code == ENOSPC);
  CHECK_FALSE(std::filesystem::exists(folder(launch)));
}

TEST_CASE_FIXTURE(Fixture, "a job of another user writes its result, and sees nothing else there") {
  if (!is_root()) return;
  Launch launch = shell(
      "echo 1 > $TASKD_RESULT_FILE && d=${TASKD_RESULT_FILE%/*} && "
      "! ls $d 2>/dev/null && ! cat $TASKD_RESULT_FILE 2>/dev/null && ! touch $d/new 2>/dev/null "
      "&& "
      "! rm -f $TASKD_RESULT_FILE 2>/dev/null && ! chmod 777 $d 2>/dev/null && "
      "cat $SOME_FILE && ! chmod u+w $SOME_FILE 2>/dev/null && ! ln $SOME_FILE /tmp/x 2>/dev/null "
      "&& "
      "! ls " +
      config.attempts_dir + " 2>/dev/null && ! stat " + folder(shell("")) + " 2>/dev/null");
  launch.files.push_back(
      {kDependenciesFile, "SOME_FILE", [](const auto& write) { write("given"); }});
  launch.uid = kNobody;
  const AttemptEnd end = run(launch);
  CHECK(end.outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(end.result == "1");
  CHECK(out(launch) == "given");
  CHECK(std::filesystem::exists(config.jobs_dir + "/65534/1.1/result"));
  launcher().cleanup_attempt(1, 1);
  CHECK(std::filesystem::is_empty(config.jobs_dir + "/65534"));
}

TEST_CASE_FIXTURE(Fixture, "no other user learns anything of an attempt's files") {
  if (!is_root()) return;
  Fifo go = fifo("go");
  Launch launch = shell("read x < " + go.path());
  launch.uid = kNobody;
  const auto live = start(launch);
  const std::string pipe = config.jobs_dir + "/65534/1.1/result";
  REQUIRE(std::filesystem::exists(pipe));
  Launch spy = shell("! stat " + pipe + " 2>/dev/null && ! echo 1 2>/dev/null > " + pipe +
                     " && ! stat " + config.jobs_dir + "/65534/1.1 2>/dev/null && ! ls " +
                     config.jobs_dir + " 2>/dev/null && ! stat " + folder(launch) + " 2>/dev/null");
  spy.task = 2;
  spy.uid = 2;  // bin
  CHECK(run(spy).outcome == Outcome{OutcomeKind::exited, 0, ""});
  go.write_line("on");
  finish(*live);
}

}  // namespace
}  // namespace taskd
