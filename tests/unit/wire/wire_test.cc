#include "wire/wire.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "daemon/base/json_writer.h"

namespace taskd {
namespace {

using nlohmann::json;

json json_of(const auto& item, void (*write)(JsonWriter&, decltype(item))) {
  JsonWriter writer;
  writer.begin('{');
  write(writer, item);
  writer.end('}');
  const std::string text = writer.take();
  const json parsed = json::parse(text);
  // Compact, and no member twice: the parser would take the last.
  CHECK(parsed.dump().size() == text.size());
  return parsed;
}
json json_of(const Task& task) {
  CHECK(json::parse(task_to_text(task)) == json_of(task, write_task));
  return json_of(task, write_task);
}
json json_of(const Attempt& attempt) {
  return json_of(attempt, write_attempt);
}

Task rich_task() {
  Task task;
  task.id = 42;
  task.uid = 1000;
  task.array = ArrayPlace{40, 3};
  task.workflow = WorkflowPlace{4, "build"};
  TaskSpec& spec = task.spec;
  spec.name = "backup";
  spec.queue = "night";
  spec.priority = -3;
  spec.argv = {"tar", "two words"};
  spec.env = {{"KEY", "secret"}};
  spec.cwd = "/srv";
  spec.stdin_text = "secret";
  spec.user_uid = 4'294'967'294;
  spec.labels = {{"team", "ops"}};
  spec.timeout_ms = 1;
  spec.progress_timeout_ms = 9;
  spec.grace_ms = 2;
  spec.max_attempts = 3;
  spec.backoff = {BackoffKind::linear, 4, 5, 0.5};
  spec.retry_on = {{.exit_code = 6, .reason = {}}};
  spec.no_retry_on = {{.exit_code = {}, .reason = Reason::oom}};
  task.schedule = "nightly";
  spec.on_lost = OnLost::fail;
  spec.on_bad_result = OnBadResult::ignore;
  spec.max_lost = 7;
  spec.keep_ms = 8;
  spec.notify = {{"mail", {HookEvent::failed, HookEvent::started}}, {"chat", {}}};
  task.state = State::failed;
  task.reason = Reason::exit;
  task.attempt = 5;
  task.tries = 3;
  task.lost = 2;
  task.created_at = {1'772'366'400'001};
  task.due_at = WallTime{1'772'366'400'002};
  task.started_at = WallTime{1'772'366'400'003};
  task.ended_at = WallTime{1'772'366'400'004};
  task.cancel_requested_at = WallTime{1'772'366'400'005};
  task.last_outcome = Outcome{OutcomeKind::exited, 3, ""};
  task.progress = Progress{45, "half"};
  task.progress_at = WallTime{1'772'366'400'006};
  return task;
}

void check_same(const Task& a, const Task& b) {
  CHECK(a.id == b.id);
  CHECK(a.uid == b.uid);
  CHECK(a.schedule == b.schedule);
  CHECK(a.spec == b.spec);
  CHECK(a.state == b.state);
  CHECK(a.reason == b.reason);
  CHECK(a.attempt == b.attempt);
  CHECK(a.tries == b.tries);
  CHECK(a.lost == b.lost);
  CHECK(a.created_at == b.created_at);
  CHECK(a.due_at == b.due_at);
  CHECK(a.started_at == b.started_at);
  CHECK(a.ended_at == b.ended_at);
  CHECK(a.cancel_requested_at == b.cancel_requested_at);
  CHECK(a.last_outcome == b.last_outcome);
  CHECK(a.progress == b.progress);
  CHECK(a.progress_at == b.progress_at);
}

json outcome_json(const Outcome& outcome) {
  Task task;
  task.last_outcome = outcome;
  return json_of(task);
}

TEST_CASE("an answered task has exactly the documented fields") {
  CHECK(json_of(rich_task()) == json::parse(R"({
    "id": 42, "uid": 1000, "array": {"id": 40, "index": 3},
    "workflow": {"id": 4, "step": "build"}, "schedule": "nightly",
    "argv": ["tar", "two words"], "command": "tar 'two words'",
    "name": "backup", "queue": "night", "priority": -3, "env": {"KEY": "***"}, "cwd": "/srv",
    "umask": "0022", "nice": 0, "stdin": {"text": "***"}, "user": 4294967294, "labels": {"team": "ops"}, "timeout_ms": 1, "progress_timeout_ms": 9, "grace_ms": 2,
    "max_attempts": 3,
    "backoff": {"kind": "linear", "initial_ms": 4, "max_ms": 5, "jitter": 0.5},
    "retry_on": [6], "no_retry_on": ["oom"], "on_lost": "fail", "on_bad_result": "ignore",
    "max_lost": 7, "keep_ms": 8,
    "notify": ["mail:started,failed", "chat"],
    "key": null, "slots": 1, "resources": {}, "unique": null, "depends_on": [],
    "on_dependency_failed": "fail",
    "state": "failed", "reason": "exit", "attempt": 5, "tries": 3, "lost": 2,
    "created_at": "2026-03-01T12:00:00.001Z", "due_at": "2026-03-01T12:00:00.002Z",
    "started_at": "2026-03-01T12:00:00.003Z", "ended_at": "2026-03-01T12:00:00.004Z",
    "cancel_requested_at": "2026-03-01T12:00:00.005Z",
    "outcome": "exited", "exit_code": 3, "signal": null, "error": null,
    "progress": {"percent": 45, "message": "half", "at": "2026-03-01T12:00:00.006Z"}})"));
}

TEST_CASE("what a task has not is null, and only one of argv and shell is there") {
  Task task;
  task.id = 1;
  task.spec.shell = "a | b";
  const json answer = json_of(task);
  for (const char* field :
       {"reason", "due_at", "started_at", "ended_at", "cancel_requested_at", "outcome", "exit_code",
        "signal", "error", "progress", "cwd", "stdin", "user", "schedule"}) {
    CAPTURE(field);
    REQUIRE(answer.contains(field));
    CHECK(answer[field].is_null());
  }
  CHECK(answer["env"] == json::object());
  CHECK(answer["labels"] == json::object());
  CHECK(answer["retry_on"] == json::array());
  CHECK(answer["shell"] == "a | b");
  CHECK(answer["command"] == "a | b");
  CHECK_FALSE(answer.contains("argv"));
  CHECK_FALSE(json_of(rich_task()).contains("shell"));
}

TEST_CASE("each outcome shows what belongs to it") {
  const json killed = outcome_json({OutcomeKind::signaled, 9, ""});
  CHECK(killed["outcome"] == "signaled");
  CHECK(killed["signal"] == 9);
  CHECK(killed["exit_code"].is_null());
  const json missing = outcome_json({OutcomeKind::spawn_failed, ENOENT, "exec"});
  CHECK(missing["error"] == "exec: No such file or directory");
  CHECK(missing["exit_code"].is_null());
  CHECK(outcome_json({OutcomeKind::spawn_failed, ENOENT, ""})["error"] ==
        "No such file or directory");
  CHECK(outcome_json({OutcomeKind::spawn_failed, 0, "no such user"})["error"] == "no such user");
  CHECK(outcome_json({OutcomeKind::reported, 0, "out of paper"})["error"] == "out of paper");
  CHECK(outcome_json({OutcomeKind::timed_out, 0, ""})["error"].is_null());
  CHECK(outcome_json({OutcomeKind::exited, 0, ""})["exit_code"] == 0);
}

TEST_CASE("a task reads back from its answer, env masked") {
  Task task = rich_task();
  const Task read = task_from_json(json_of(task));
  CHECK(read.spec.env.at("KEY") == "***");
  task.spec.env["KEY"] = "***";
  task.spec.stdin_text = "***";
  check_same(read, task);

  Task fresh;
  fresh.id = 1;
  fresh.spec.shell = "x";
  check_same(task_from_json(json_of(fresh)), fresh);
  for (const Outcome& outcome :
       {Outcome{OutcomeKind::signaled, 15, ""}, Outcome{OutcomeKind::reported, 0, "why"},
        Outcome{OutcomeKind::lost, 0, ""}}) {
    fresh.last_outcome = outcome;
    check_same(task_from_json(json_of(fresh)), fresh);
  }
}

TEST_CASE("an error text does not change when it is passed on") {
  Task task;
  task.last_outcome = Outcome{OutcomeKind::spawn_failed, ENOENT, "exec"};
  const json first = json_of(task);
  CHECK(json_of(task_from_json(first)) == first);
}

TEST_CASE("what a job wrote may be broken UTF-8, and the answer is valid all the same") {
  Task task;
  task.last_outcome = Outcome{OutcomeKind::reported, 0, "out of \xff\"paper\""};
  task.progress = Progress{{}, "ha\xc3"};
  CHECK(json_of(task)["error"] == "out of \xef\xbf\xbd\"paper\"");
  CHECK(json_of(task)["progress"]["message"] == "ha\xef\xbf\xbd");
  Attempt attempt;
  attempt.stderr_tail = "\xf0\x9f\n";
  CHECK(json_of(attempt)["stderr_tail"] == "\xef\xbf\xbd\n");
}

TEST_CASE("an older reader ignores fields it does not know") {
  json answer = json_of(rich_task());
  answer["slots"] = 3;
  answer["backoff"]["shape"] = "round";
  CHECK(task_from_json(answer).id == 42);
}

TEST_CASE("an answer that lacks something says what") {
  const auto complaint = [](const json& answer) -> std::string {
    try {
      task_from_json(answer);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  };
  for (const char* field : {"id", "uid", "state", "created_at"}) {
    json answer = json_of(rich_task());
    answer.erase(field);
    CHECK(complaint(answer) == "the answer's \"" + std::string(field) + "\" is missing");
  }
  const json wrong = json::parse(R"({"id": "1", "state": "sleeping", "argv": [1], "attempt": 1.5,
    "env": [], "ended_at": "soon", "user": -1, "priority": 3000000000, "retry_on": 1, "backoff": 1,
    "exit_code": "0"})");
  for (const auto& [field, value] : wrong.items()) {
    CAPTURE(field);
    json answer = json_of(rich_task());
    answer[field] = value;
    CHECK_FALSE(complaint(answer).empty());
  }
  CHECK(complaint(json::array()) == "the answer is not a JSON object");
}

TEST_CASE("an attempt has the documented fields, reads back, and keeps its token to itself") {
  Attempt attempt;
  attempt.task = 42;
  attempt.number = 2;
  attempt.token = "secret";
  attempt.boot_id = "boot";
  attempt.started_at = {1'772'366'400'000};
  CHECK(json_of(attempt) == json::parse(R"({
    "number": 2, "started_at": "2026-03-01T12:00:00.000Z", "granted": {}, "ended_at": null,
    "outcome": null,
    "exit_code": null, "signal": null, "error": null, "user_cpu_ms": 0, "system_cpu_ms": 0,
    "max_rss_bytes": 0, "stderr_tail": "", "stdout_dropped_bytes": 0,
    "stderr_dropped_bytes": 0})"));

  attempt.ended_at = WallTime{1'772'366'401'000};
  attempt.outcome = Outcome{OutcomeKind::exited, 1, ""};
  attempt.usage = {1, 2, 3};
  attempt.stderr_tail = "oops\n";
  attempt.stdout_dropped_bytes = 5;
  attempt.stderr_dropped_bytes = 6;
  attempt.granted = {{"gpu", {"0", "1"}}, {"tape", {"a"}}};
  CHECK(json_of(attempt)["granted"]["gpu"] == json{"0", "1"});
  const Attempt read = attempt_from_json(json_of(attempt));
  CHECK(read.number == 2);
  CHECK(read.started_at == attempt.started_at);
  CHECK(read.ended_at == attempt.ended_at);
  CHECK(read.outcome == attempt.outcome);
  CHECK(read.usage == attempt.usage);
  CHECK(read.stderr_tail == attempt.stderr_tail);
  CHECK(read.stdout_dropped_bytes == 5);
  CHECK(read.stderr_dropped_bytes == 6);
  CHECK(read.granted == attempt.granted);
  CHECK_THROWS_AS(attempt_from_json(json::object()), std::runtime_error);
}

TEST_CASE("a problem is written as RFC 9457 says and reads back") {
  const Problem problem{
      422, "invalid_task", "2 fields are wrong", {{"#/argv", "bad"}, {"#/name", "worse"}}};
  const json written = problem_to_json(problem);
  CHECK(written == json::parse(R"({"type": "https://taskd.invalid/problems/invalid_task",
    "title": "The task cannot be accepted", "status": 422, "code": "invalid_task",
    "detail": "2 fields are wrong",
    "errors": [{"pointer": "#/argv", "detail": "bad"}, {"pointer": "#/name", "detail": "worse"}]})"));
  const Problem read = problem_from_json(written);
  CHECK(read.status == 422);
  CHECK(read.code == problem.code);
  CHECK(read.detail == problem.detail);
  REQUIRE(read.errors.size() == 2);
  CHECK(read.errors[1].pointer == "#/name");
  CHECK(read.errors[1].detail == "worse");
  CHECK_FALSE(problem_to_json({404, "no_such_task", "", {}}).contains("errors"));
}

TEST_CASE("a problem names a parameter of the query as one, not as a place in a body") {
  const json written = problem_to_json({422, "unknown_queue", "no", {{"queue", "there is none"}}});
  CHECK(written.at("errors") ==
        json::parse(R"([{"parameter": "queue", "detail": "there is none"}])"));
  CHECK(problem_from_json(written).errors.at(0).pointer == "queue");
}

TEST_CASE("whatever somebody else calls a problem can be read") {
  for (const char* text : {"[]", "null", "{}", R"({"status": "x", "code": 1, "errors": 2})",
                           R"({"status": 99999999999, "errors": [1, {"pointer": 2}]})"}) {
    CAPTURE(text);
    const Problem problem = problem_from_json(json::parse(text));
    CHECK(problem.status == 500);
    CHECK(problem.code.empty());
  }
}

// The second column of a table's row.
std::string second_cell(const std::string& row) {
  const std::size_t begin = row.find('|', 1) + 1;
  return row.substr(begin, row.find('|', begin) - begin);
}

// The document is the contract, so its own table of codes is read.
TEST_CASE("every documented code has a title of its own") {
  std::ifstream file(TASKD_SOURCE_DIR "/daemon/api/API.md");
  const std::regex status_row(R"(^\| [45]\d\d)");
  const std::regex code_word("`([a-z_]+)`");
  std::set<std::string> titles;
  for (std::string line; std::getline(file, line);) {
    if (!std::regex_search(line, status_row)) continue;
    const std::string codes = second_cell(line);
    for (std::sregex_iterator it(codes.begin(), codes.end(), code_word), end; it != end; ++it) {
      const std::string code = (*it)[1];
      CAPTURE(code);
      const std::string title = problem_to_json({400, code, "", {}})["title"];
      CHECK(title != code);
      CHECK(titles.insert(title).second);
    }
  }
  CHECK(titles.size() >= 28);
}

}  // namespace
}  // namespace taskd
