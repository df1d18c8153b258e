// What a job reads and leaves in the files of its own.

#include "daemon/process/job_files.h"

#include <fstream>
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
                  "a job that writes no result has none, and nothing is left of the file") {
  const Launch launch = shell("test -f $TASKD_RESULT_FILE");
  const AttemptEnd end = run(launch);
  CHECK(end.outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK_FALSE(end.result);
  launcher().settle(1, 1);
  CHECK_FALSE(std::filesystem::exists(folder(launch)));
}

TEST_CASE_FIXTURE(Fixture,
                  "any one JSON value of 64 KiB is a result; more and else is told, no more") {
  const auto end_of = [&](const std::string& text) {
    static int attempt = 0;
    const std::string file = dir.path() + "/text";
    std::ofstream(file) << text;
    Launch launch = shell("cat " + file + " > $TASKD_RESULT_FILE");
    launch.attempt = ++attempt;
    return run(launch);
  };
  for (const std::string text : {"17", "null", "\"text\"", "[1,2]"})
    CHECK(end_of(text).result == text);
  const std::string most = "\"" + std::string(kMaxResultBytes - 2, 'x') + "\"";
  CHECK(end_of(most).result == most);
  for (const std::string text : {"{", "{} {}", "{\"a\":1,\"a\":2}", "not json", "\xff"}) {
    const AttemptEnd end = end_of(text);
    CHECK_FALSE(end.result);
    CHECK(end.outcome.kind == OutcomeKind::exited);
    CHECK(end.outcome.code == 0);
    CHECK(end.outcome.detail.starts_with("its result file was not taken: at byte "));
  }
  const AttemptEnd large = end_of(most + " ");
  CHECK_FALSE(large.result);
  CHECK(large.outcome.detail == "its result file was not taken: it has more than 65536 bytes");
}

TEST_CASE_FIXTURE(Fixture, "a link or a pipe in the place of the result file is not followed") {
  const std::string secret = dir.path() + "/secret";
  std::ofstream(secret) << "{}";
  AttemptEnd end = run(shell("rm $TASKD_RESULT_FILE && ln -s " + secret + " $TASKD_RESULT_FILE"));
  CHECK_FALSE(end.result);
  CHECK(end.outcome.detail == "its result file was not taken: it is a link");
  Launch pipe = shell("rm $TASKD_RESULT_FILE && mkfifo $TASKD_RESULT_FILE");
  pipe.attempt = 2;
  end = run(pipe);
  CHECK_FALSE(end.result);
  CHECK(end.outcome.detail == "its result file was not taken: it is no file");
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
  launcher().settle(1, 1);
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
  wait_for_output(launch, "[1] 400 " + std::to_string(launch.uid) + "\n[1]");
  launcher().settle(1, 1);
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
  // As a daemon before there were results left them.
  REQUIRE(::mkdir(config.attempts_dir.c_str(), 0700) == 0);
  REQUIRE(::mkdir((config.attempts_dir + "/0").c_str(), 0700) == 0);
  Launch launch = shell(
      "echo 1 > $TASKD_RESULT_FILE && d=${TASKD_RESULT_FILE%/*} && "
      "! ls $d 2>/dev/null && ! cat $d/lock 2>/dev/null && ! touch $d/new 2>/dev/null");
  launch.uid = kNobody;
  const AttemptEnd end = run(launch);
  CHECK(end.outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(end.result == "1");
}

}  // namespace
}  // namespace taskd
