// What taskctl exits with, and the words that go with it.
#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>

#include "ctl/base/failure.h"
#include "ctl/net/client.h"
#include "ctl/net/problem_text.h"
#include "ctl/view/outcome.h"

using namespace taskd;
using namespace taskd::ctl;

namespace {

Task ended(State state, std::optional<Reason> reason, std::optional<Outcome> outcome) {
  Task task;
  task.state = state;
  task.reason = reason;
  task.last_outcome = std::move(outcome);
  task.attempt = task.last_outcome ? 1 : 0;
  return task;
}

int failed_code(Reason reason, Outcome outcome) {
  return exit_code_of(ended(State::failed, reason, std::move(outcome)));
}

int problem_code(int status, const char* code) {
  Problem problem;
  problem.status = status;
  problem.code = code;
  return exit_code_of(problem);
}

}  // namespace

TEST_CASE("a task's end becomes its command's exit code") {
  CHECK(exit_code_of(ended(State::succeeded, {}, Outcome{OutcomeKind::exited, 0, ""})) == 0);
  CHECK(failed_code(Reason::exit, {OutcomeKind::exited, 3, ""}) == 3);
  CHECK(failed_code(Reason::exit, {OutcomeKind::exited, 255, ""}) == 255);
  CHECK(failed_code(Reason::signal, {OutcomeKind::signaled, SIGKILL, ""}) == 137);
  CHECK(failed_code(Reason::timeout, {OutcomeKind::timed_out, 0, ""}) == 124);
  CHECK(failed_code(Reason::oom, {OutcomeKind::oom_killed, 0, ""}) == 137);
  for (const char* text : {"Program gzpi was not found in PATH", "Program ./x does not exist",
                           "Interpreter /bin/sh\\r of ./x does not exist: its lines end with CR LF, "
                           "convert them to LF"}) {
    CHECK(failed_code(Reason::spawn, {OutcomeKind::spawn_failed, 0, text}) == 127);
  }
  for (const char* text : {"Program /etc cannot be run: Permission denied",
                           "Command and environment are too large"}) {
    CHECK(failed_code(Reason::spawn, {OutcomeKind::spawn_failed, 0, text}) == 126);
  }
  for (const char* text : {"Folder /x does not exist", "Input /x does not exist"}) {
    CHECK(failed_code(Reason::spawn, {OutcomeKind::spawn_failed, 0, text}) == 125);
  }
  CHECK(failed_code(Reason::lost, {OutcomeKind::lost, 0, ""}) == 125);
  CHECK(failed_code(Reason::poison, {OutcomeKind::lost, 0, ""}) == 125);
  CHECK(failed_code(Reason::reported, {OutcomeKind::reported, 0, "no"}) == 1);
  CHECK(exit_code_of(ended(State::failed, Reason::dependency, {})) == 125);
  CHECK(exit_code_of(ended(State::cancelled, {}, {})) == 125);
  CHECK(exit_code_of(ended(State::cancelled, {}, Outcome{OutcomeKind::cancelled, 0, ""})) == 125);
}

TEST_CASE("a failed task never exits 0, whatever its outcome says") {
  CHECK(failed_code(Reason::exit, {OutcomeKind::exited, 0, ""}) == 125);
  CHECK(failed_code(Reason::exit, {OutcomeKind::exited, 256, ""}) == 125);
  CHECK(failed_code(Reason::exit, {OutcomeKind::exited, -1, ""}) == 125);
}

TEST_CASE("every refusal has its exit code") {
  CHECK(problem_code(400, "bad_id") == 65);
  CHECK(problem_code(403, "not_allowed") == 77);
  CHECK(problem_code(404, "no_such_task") == 66);
  CHECK(problem_code(404, "no_such_attempt") == 66);
  CHECK(problem_code(404, "no_such_path") == 76);
  CHECK(problem_code(405, "method_not_allowed") == 76);
  CHECK(problem_code(408, "request_timeout") == 75);
  CHECK(problem_code(409, "wrong_state") == 73);
  CHECK(problem_code(413, "body_too_large") == 65);
  CHECK(problem_code(422, "invalid_task") == 65);
  CHECK(problem_code(422, "unknown_queue") == 66);
  CHECK(problem_code(422, "unknown_task") == 66);
  CHECK(problem_code(422, "unknown_dependency") == 66);
  CHECK(problem_code(422, "unknown_workflow") == 66);
  CHECK(problem_code(422, "unknown_array") == 66);
  CHECK(problem_code(500, "internal_error") == 70);
  CHECK(problem_code(503, "queue_full") == 75);
  CHECK(problem_code(503, "shutting_down") == 75);
  CHECK(problem_code(507, "disk_full") == 73);
  CHECK(problem_code(302, "") == 76);
}

TEST_CASE("a wrong field is named by its option") {
  CHECK(flag_of_pointer("#/timeout_ms") == "--timeout");
  CHECK(flag_of_pointer("#/backoff/initial_ms") == "--retry-delay");
  CHECK(flag_of_pointer("#/env/A%20B") == "--env A B");
  CHECK(flag_of_pointer("#/labels/a~1b~0") == "--label a/b~");
  CHECK(flag_of_pointer("#/argv/3") == "the command 3");
  CHECK(flag_of_pointer("#/filter/state/0") == "--state 0");
  CHECK(flag_of_pointer("#/resources/gpu") == "--resource gpu");
  CHECK(flag_of_pointer("#/depends_on/0") == "--after");
  CHECK(flag_of_pointer("#/key/limit") == "--key-limit");
  CHECK(flag_of_pointer("#/unheard_of") == "#/unheard_of");
  CHECK(flag_of_pointer("#") == "#");
  CHECK(flag_of_pointer("") == "");
  CHECK(flag_of_pointer("#/env/%") == "--env %");
}

TEST_CASE("a refusal is told in full, and safely") {
  Problem problem;
  problem.detail = "2 fields are wrong\x1b[2J";
  problem.errors = {{"#/name", "too long"}, {"#/cwd", "must be\nabsolute"}};
  CHECK(describe_problem(problem, std::nullopt) ==
        "2 fields are wrong\\x1b[2J\n  --name: too long\n  --cwd: must be\\nabsolute");
  problem.detail = "#/name: too long";
  CHECK(describe_problem(problem, std::nullopt) ==
        "several options are wrong\n  --name: too long\n  --cwd: must be\\nabsolute");
  problem.errors.pop_back();
  CHECK(describe_problem(problem, std::nullopt) == "--name: too long");
  problem.errors = {{"#/depends_on/0", "there is no task 77"}};
  problem.detail = "there is no task 77";
  CHECK(describe_problem(problem, std::nullopt) == "--after: there is no task 77");
  problem.errors = {{"#/every_ms", "must be from 1000 to 315360000000"}};
  problem.detail = "#/every_ms: must be from 1000 to 315360000000";
  CHECK(describe_problem(problem, std::nullopt) == "--every: must be from 1s to 3650d");
  problem.errors = {{"#/limit", "must be from 1 to 1000"}};
  CHECK(describe_problem(problem, std::nullopt) == "--limit: must be from 1 to 1000");
  problem = {};
  problem.code = "idempotency_key_reused";
  problem.detail = "this Idempotency-Key was used with another body";
  CHECK(describe_problem(problem, std::nullopt) ==
        "this --idempotency-key was used for another task; its folder and environment count too");
  problem = {};
  problem.detail = "queue \"default\" is full";
  CHECK(describe_problem(problem, "5") == "queue \"default\" is full; try again in 5 s");
  CHECK(describe_problem(problem, "\x1b") == "queue \"default\" is full");
}

TEST_CASE("the reason column says how a task stands") {
  CHECK(describe_reason(ended(State::failed, Reason::exit, Outcome{OutcomeKind::exited, 3, ""})) ==
        "exit 3");
  CHECK(describe_reason(ended(State::failed, Reason::signal,
                              Outcome{OutcomeKind::signaled, SIGSEGV, ""})) == "SIGSEGV");
  CHECK(describe_reason(ended(State::failed, Reason::poison, Outcome{OutcomeKind::lost, 0, ""})) ==
        "poison");
  CHECK(describe_reason(ended(State::failed, Reason::reported,
                              Outcome{OutcomeKind::reported, 0, "\x1b"})) == "\\x1b");
  Task missing = ended(State::failed, Reason::spawn,
                       Outcome{OutcomeKind::spawn_failed, 0, "Program gzpi was not found in PATH"});
  missing.spec.argv = {"gzpi", "a.txt"};
  CHECK(describe_reason(missing) == "Program gzpi was not found in PATH");
  CHECK(describe_reason(ended(State::scheduled, {}, Outcome{OutcomeKind::exited, 1, ""})) ==
        "exit 1");
  CHECK(describe_reason(ended(State::cancelled, {}, {})) == "never ran");
  CHECK(describe_reason(ended(State::queued, {}, {})) == "");
}
