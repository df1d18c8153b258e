#include "daemon/task/spec_json.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "daemon/base/text.h"

namespace taskd {
namespace {

using nlohmann::json;

NewTask accepted(const json& body) {
  auto result = new_task_from_json(body);
  if (const auto* errors = std::get_if<FieldErrors>(&result))
    FAIL(errors->front().pointer << ": " << errors->front().detail);
  return std::get<NewTask>(std::move(result));
}

FieldErrors refused(const json& body, const std::string& prefix = "#") {
  CAPTURE(body.dump());
  auto result = new_task_from_json(body, prefix);
  REQUIRE(std::holds_alternative<FieldErrors>(result));
  auto errors = std::get<FieldErrors>(std::move(result));
  REQUIRE_FALSE(errors.empty());
  return errors;
}

// A body with a command and `field`.
json with(const std::string& field, json value) {
  json body = {{"argv", {"true"}}};
  body[field] = std::move(value);
  return body;
}

// The one complaint about `field` having `value`.
FieldError refused_field(const std::string& field, const json& value) {
  const auto errors = refused(with(field, value));
  REQUIRE(errors.size() == 1);
  return errors.front();
}

void check_refused(const std::string& field, std::initializer_list<json> values) {
  for (const json& value : values) CHECK(refused_field(field, value).pointer == "#/" + field);
}

TEST_CASE("a command alone is a task with the documented defaults") {
  const NewTask task = accepted({{"argv", {"echo", "a b", ""}}});
  CHECK(task.spec.argv == std::vector<std::string>{"echo", "a b", ""});
  CHECK(task.spec.shell.empty());
  CHECK(task.spec.queue == "default");
  CHECK(task.spec.priority == 0);
  CHECK(task.spec.timeout_ms == 0);
  CHECK(task.spec.grace_ms == 10'000);
  CHECK(task.spec.max_attempts == 1);
  CHECK(task.spec.backoff == Backoff{BackoffKind::exponential, 10'000, 3'600'000, 0.1});
  CHECK(task.spec.on_lost == OnLost::rerun);
  CHECK(task.spec.on_bad_result == OnBadResult::fail);
  CHECK(task.spec.max_lost == 3);
  CHECK(task.spec.keep_ms == 2'592'000'000);
  CHECK_FALSE(task.spec.user_uid);
  CHECK_FALSE(task.delay_ms);
  CHECK_FALSE(task.run_at);
  CHECK_FALSE(task.hold);
}

TEST_CASE("every field arrives") {
  const NewTask task = accepted(json::parse(R"({
    "shell": "a | b", "name": " n\u00e4me ", "queue": "Mail.out_2-x", "priority": -7,
    "env": {"A": "1", "B": ""}, "cwd": "/tmp", "umask": "0027", "stdin": {"file": "/in"}, "user": 1000, "labels": {"k": "v", "empty": ""},
    "run_at": "2026-03-01T12:00:00Z", "hold": true, "timeout_ms": 5, "progress_timeout_ms": 6, "grace_ms": 0,
    "max_attempts": 1000, "backoff": {"kind": "linear", "initial_ms": 1, "max_ms": 2, "jitter": 1},
    "retry_on": [1, 255, "timeout"], "no_retry_on": ["oom", "spawn", "exit", "signal"],
    "on_lost": "fail", "on_bad_result": "ignore", "max_lost": 100, "keep_ms": 0})"));
  const TaskSpec& spec = task.spec;
  CHECK(spec.shell == "a | b");
  CHECK(spec.name == " n\xC3\xA4me ");
  CHECK(spec.queue == "Mail.out_2-x");
  CHECK(spec.priority == -7);
  CHECK(spec.env == std::map<std::string, std::string>{{"A", "1"}, {"B", ""}});
  CHECK(spec.cwd == "/tmp");
  CHECK(spec.process.umask == 027);
  CHECK(spec.stdin_file == "/in");
  CHECK(spec.user_uid == 1000u);
  CHECK(spec.labels == std::map<std::string, std::string>{{"empty", ""}, {"k", "v"}});
  CHECK(task.run_at == parse_rfc3339("2026-03-01T12:00:00Z"));
  CHECK(task.hold);
  CHECK(spec.timeout_ms == 5);
  CHECK(spec.progress_timeout_ms == 6);
  CHECK(spec.grace_ms == 0);
  CHECK(spec.max_attempts == 1000);
  CHECK(spec.backoff == Backoff{BackoffKind::linear, 1, 2, 1.0});
  REQUIRE(spec.retry_on.size() == 3);
  CHECK(spec.retry_on[1].exit_code == 255);
  CHECK(spec.retry_on[2].reason == Reason::timeout);
  CHECK(spec.no_retry_on.size() == 4);
  CHECK(spec.on_lost == OnLost::fail);
  CHECK(spec.on_bad_result == OnBadResult::ignore);
  CHECK(spec.max_lost == 100);
  CHECK(spec.keep_ms == 0);
  CHECK(accepted(with("priority", "high")).spec.priority == 10);
  CHECK(accepted(with("user", "alice")).spec.user_name == "alice");
  CHECK(accepted(with("delay_ms", 7)).delay_ms == 7);
  CHECK(accepted(with("backoff", json::object())).spec.backoff == Backoff{});
}

TEST_CASE("stdin is a file with an absolute path or a text") {
  CHECK(accepted(with("stdin", {{"text", "a\nb"}})).spec.stdin_text == "a\nb");
  CHECK(accepted(with("stdin", {{"text", ""}})).spec == accepted(with("name", "")).spec);
  CHECK(accepted(with("stdin", {{"text", std::string(kMaxStdinBytes, 'x')}})).spec.argv.size() ==
        1);
  CHECK(refused(with("stdin", {{"text", std::string(kMaxStdinBytes + 1, 'x')}})).front().pointer ==
        "#/stdin/text");
  CHECK(refused(with("stdin", {{"file", "in"}})).front().pointer == "#/stdin/file");
  CHECK(refused(with("stdin", {{"file", "/in"}, {"text", ""}})).front().pointer == "#/stdin");
  CHECK(refused(with("stdin", json::object())).front().pointer == "#/stdin");
  CHECK(refused(with("stdin", "/in")).front().detail == "must be an object");
  CHECK(refused(with("stdin", {{"path", "/in"}})).front().pointer == "#/stdin/path");
}

TEST_CASE("exactly one command is needed") {
  CHECK(refused(json::object()).front().pointer == "#");
  CHECK(refused(with("shell", "x")).front().pointer == "#");
  CHECK(refused(json::array()).front().detail == "must be an object");
  CHECK(refused(json(nullptr), "#/tasks/3").front().pointer == "#/tasks/3");
}

TEST_CASE("a wrong argv is refused item by item") {
  for (const json& argv : {json::array(), json("ls"), json(nullptr), json::object(), json(1)}) {
    CHECK(refused({{"argv", argv}}).front().pointer == "#/argv");
  }
  const auto errors = refused({{"argv", {"a", 1, "b", nullptr, std::string("x\0y", 3)}}});
  REQUIRE(errors.size() == 3);
  CHECK(errors[0].pointer == "#/argv/1");
  CHECK(errors[1].pointer == "#/argv/3");
  CHECK(errors[1].detail == "must not be null; leave it out");
  CHECK(errors[2].pointer == "#/argv/4");
  CHECK(refused({{"argv", {""}}}).front().pointer == "#/argv/0");
  CHECK(refused({{"argv", {1}}}).size() == 1);

  const json most(kMaxArgs, "x");
  CHECK(accepted({{"argv", most}}).spec.argv.size() == kMaxArgs);
  CHECK(refused({{"argv", json(kMaxArgs + 1, "x")}}).front().pointer == "#/argv");
  CHECK(accepted({{"argv", {std::string(kMaxArgBytes, 'x')}}}).spec.argv.size() == 1);
  CHECK(refused({{"argv", {std::string(kMaxArgBytes + 1, 'x')}}}).front().pointer == "#/argv/0");
}

TEST_CASE("a wrong shell line is refused") {
  for (const json& shell : {json(""), json(1), json(nullptr), json(json::array({"a"})),
                            json(std::string("a\0b", 3)), json(std::string(kMaxArgBytes + 1, 'x'))})
    CHECK(refused({{"shell", shell}}).front().pointer == "#/shell");
}

TEST_CASE("names are short and plain") {
  check_refused("name", {std::string(kMaxNameBytes + 1, 'x'), "a\nb", "\x1B[1m", "\xE2\x80\xAE",
                         "\xE2\x80\x8B", "\xFF", 1, nullptr});
  CHECK(accepted(with("name", std::string(kMaxNameBytes, 'x'))).spec.name.size() == kMaxNameBytes);
  CHECK(accepted(with("name", "")).spec.name.empty());
}

TEST_CASE("queue names keep to their characters") {
  check_refused("queue", {"", "a b", "-a", ".a", "_a", "a/b", "\xC3\xA4", std::string(65, 'a'),
                          std::string("a\0", 2), 1, nullptr, json::array()});
  CHECK(accepted(with("queue", std::string(64, 'a'))).spec.queue.size() == 64);
}

TEST_CASE("only exact integers in range are integers") {
  for (const char* field :
       {"delay_ms", "timeout_ms", "grace_ms", "keep_ms", "max_attempts", "max_lost"}) {
    CAPTURE(field);
    check_refused(field, {5.0, 1.5, true, "5", nullptr, json::array(), json::object(), -1,
                          std::numeric_limits<std::int64_t>::min(),
                          std::numeric_limits<std::uint64_t>::max(), kMaxDurationMs + 1});
    CHECK(refused_field(field, 5.0).detail == "must be an integer");
    CHECK(refused_field(field, nullptr).detail == "must not be null; leave it out");
  }
  check_refused("max_attempts", {0, 1001});
  check_refused("max_lost", {-1, 101});
  check_refused("grace_ms", {86'400'001});
  CHECK(refused_field("max_attempts", 0).detail == "must be from 1 to 1000");
  CHECK(accepted(with("keep_ms", kMaxDurationMs)).spec.keep_ms == kMaxDurationMs);
  check_refused("priority",
                {2'147'483'648, -2'147'483'649, 1.0, true, "5", "-5", "", "urgently", nullptr});
  check_refused("hold", {0, 1, "true", nullptr});
}

TEST_CASE("environments are bounded and their names are names") {
  check_refused("env", {json::array(), "A=1", nullptr, 1});
  const auto pointer_of = [](const json& env) { return refused_field("env", env).pointer; };
  CHECK(pointer_of({{"", "x"}}) == "#/env/");
  CHECK(pointer_of({{"A=B", "x"}}) == "#/env/A=B");
  CHECK(pointer_of({{"A", 1}}) == "#/env/A");
  CHECK(pointer_of({{"A", nullptr}}) == "#/env/A");
  CHECK(pointer_of({{"A", std::string("x\0", 2)}}) == "#/env/A");
  CHECK(pointer_of({{std::string("A\0", 2), "x"}}) == "#/env/A%00");
  CHECK(pointer_of({{"A", std::string(kMaxEnvBytes, 'x')}}) == "#/env");
  CHECK(accepted(with("env", {{"A", std::string(kMaxEnvBytes - 1, 'x')}})).spec.env.size() == 1);
  json many = json::object();
  for (std::size_t i = 0; i <= kMaxEnv; ++i) many["V" + std::to_string(i)] = "";
  CHECK(pointer_of(many) == "#/env");
}

TEST_CASE("a working directory is an absolute path") {
  check_refused("cwd", {"", "tmp", "./x", "~", std::string("/a\0b", 4), 1, nullptr,
                        "/" + std::string(kMaxCwdBytes, 'x')});
}

TEST_CASE("a umask is a text of octal digits") {
  check_refused("umask", {"", "8", "0x1", "-1", "+7", " 22", "022 ", "01000", "1777", "00022", 18,
                          22, true, nullptr});
  for (const auto& [text, umask] : std::map<std::string, std::uint32_t>{
           {"0", 0}, {"22", 022}, {"022", 022}, {"0022", 022}, {"777", 0777}, {"0007", 07}}) {
    CHECK(accepted(with("umask", text)).spec.process.umask == umask);
  }
}

TEST_CASE("an argument may hold any byte but NUL, and reads back as it was") {
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
  NewTask task = accepted(with("name", ""));
  task.spec.argv = {"cat", all, "\xff", "plain", "\xC3\xA4"};
  task.spec.env = {{"A", all}, {"B", "plain"}};
  task.spec.cwd = "/caf\xe9";
  task.spec.stdin_file = "/" + all;
  const json written = to_json(task);
  CHECK(written.dump().find("\xff") == std::string::npos);  // which a dump refuses anyway
  CHECK(written["argv"][2] == json{{"base64", "/w=="}});
  CHECK(written["argv"][4] == "\xC3\xA4");
  CHECK(accepted(written).spec == task.spec);
  CHECK(is_valid_utf8(command_line(task.spec)));

  NewTask shell = accepted({{"shell", {{"base64", "ZWNobyD/"}}}});
  CHECK(shell.spec.shell == "echo \xff");
  CHECK(accepted(to_json(shell)).spec == shell.spec);
  CHECK(command_line(shell.spec) == "/bin/sh -c $'echo \\377'");
}

TEST_CASE("bytes are a string or base64, and nothing else") {
  const json wrong[] = {json::object(),
                        {{"base64", "Zg"}},
                        {{"base64", 1}},
                        {{"base64", "AA=="}},  // NUL
                        {{"base65", "Zg=="}},
                        {{"base64", "Zg=="}, {"more", 1}},
                        json::array(),
                        1,
                        nullptr};
  for (const json& value : wrong) {
    CAPTURE(value);
    CHECK(refused({{"argv", {"x", value}}}).at(0).pointer == "#/argv/1");
    CHECK(refused({{"shell", value}}).at(0).pointer == "#/shell");
    CHECK(refused_field("env", {{"A", value}}).pointer == "#/env/A");
    CHECK(refused_field("cwd", value).pointer == "#/cwd");
  }
  CHECK(refused_field("argv", json::array({json{{"base64", ""}}})).pointer == "#/argv/0");
  CHECK(refused_field("cwd", {{"base64", "dG1w"}}).pointer == "#/cwd");  // "tmp": not absolute
  CHECK(refused_field("name", {{"base64", "Zg=="}}).pointer == "#/name");
}

TEST_CASE("a user is a name or a uid") {
  check_refused("user", {"", "a\nb", -1, 4'294'967'295, 1.0, true, nullptr});
  CHECK(accepted(with("user", 0)).spec.user_uid == 0u);
}

TEST_CASE("labels are few, short and plain") {
  check_refused("labels", {json::array(), "k=v", nullptr});
  const auto pointer_of = [](const json& labels) {
    return refused_field("labels", labels).pointer;
  };
  CHECK(pointer_of({{"", "v"}}) == "#/labels/");
  CHECK(pointer_of({{"a=b", "v"}}) == "#/labels/a=b");
  CHECK(pointer_of({{"k", 1}}) == "#/labels/k");
  CHECK(pointer_of({{"k", "a\nb"}}) == "#/labels/k");
  CHECK(pointer_of({{"a\tb", "v"}}) == "#/labels/a%09b");
  CHECK(pointer_of({{"k", std::string(kMaxNameBytes + 1, 'v')}}) == "#/labels/k");
  json many = json::object();
  for (std::size_t i = 0; i <= kMaxLabels; ++i) many["k" + std::to_string(i)] = "";
  CHECK(pointer_of(many) == "#/labels");
}

TEST_CASE("a start is delayed or dated, not both") {
  check_refused("run_at",
                {"tomorrow", "2026-03-01", "2026-03-01T12:00:00", 1'772'366'400, nullptr});
  json body = with("delay_ms", 1);
  body["run_at"] = "2026-03-01T12:00:00Z";
  const auto errors = refused(body);
  CHECK(errors.size() == 1);
  CHECK(errors.front().detail.find("only one") != std::string::npos);
}

TEST_CASE("a wrong back-off is refused field by field") {
  check_refused("backoff", {json::array(), "linear", nullptr, 1});
  const auto pointer_of = [](const json& value) { return refused_field("backoff", value).pointer; };
  CHECK(pointer_of({{"kind", "quadratic"}}) == "#/backoff/kind");
  CHECK(pointer_of({{"kind", nullptr}}) == "#/backoff/kind");
  CHECK(pointer_of({{"initial_ms", -1}}) == "#/backoff/initial_ms");
  CHECK(pointer_of({{"max_ms", 1.5}}) == "#/backoff/max_ms");
  CHECK(pointer_of({{"jitter", 1.1}}) == "#/backoff/jitter");
  CHECK(pointer_of({{"jitter", -0.1}}) == "#/backoff/jitter");
  CHECK(pointer_of({{"jitter", "0.1"}}) == "#/backoff/jitter");
  CHECK(pointer_of({{"factor", 2}}) == "#/backoff/factor");
  CHECK(refused_field("backoff", {{"initial", 2}}).detail ==
        "unknown field; did you mean \"initial_ms\"?");
}

TEST_CASE("retry lists take exit codes and the reasons a command can bring about") {
  for (const char* field : {"retry_on", "no_retry_on"}) {
    check_refused(field, {json::object(), 3, "exit", nullptr, json(261, 1)});
    for (const json& item :
         {json(0), json(256), json(-1), json(1.0), json(true), json(nullptr), json("lost"),
          json("poison"), json("reported"), json("Exit"), json("1")}) {
      const auto error = refused_field(field, json::array({1, item}));
      CHECK(error.pointer == "#/" + std::string(field) + "/1");
    }
    CHECK(accepted(with(field, json::array())).spec.retry_on.empty());
  }
  check_refused("on_lost", {"retry", "", 1, nullptr});
  check_refused("on_bad_result", {"rerun", "", true, nullptr});
}

TEST_CASE("unknown fields are refused, and a near miss is told") {
  CHECK(refused_field("color", 1).detail == "unknown field");
  CHECK(refused_field("state", "queued").detail == "unknown field");
  CHECK(refused_field("priorty", 1).detail == "unknown field; did you mean \"priority\"?");
  CHECK(refused_field("timeout", 1).detail == "unknown field; did you mean \"timeout_ms\"?");
  CHECK(refused_field("max-attempts", 1).detail == "unknown field; did you mean \"max_attempts\"?");
  CHECK(refused_field("Queue", "a").detail == "unknown field; did you mean \"queue\"?");
  CHECK(refused_field("", 1).pointer == "#/");
  CHECK(refused_field("a/b~c d\xC3\xA4", 1).pointer == "#/a~1b~0c%20d%c3%a4");
}

TEST_CASE("every wrong field is reported, under the prefix, up to a bound") {
  const json body = {{"argv", 1}, {"name", 2}, {"queue", 3}, {"nonsense", 4}};
  const auto errors = refused(body, "#/tasks/3");
  REQUIRE(errors.size() == 4);
  for (const FieldError& error : errors) CHECK(error.pointer.starts_with("#/tasks/3/"));
  json flood = json::object();
  for (int i = 0; i < 10'000; ++i) flood["x" + std::to_string(i)] = 1;
  CHECK(refused(flood).size() == kMaxFieldErrors);
}

// --- writing
// --------------------------------------------------------------------------------------

NewTask rich_task() {
  NewTask task;
  TaskSpec& spec = task.spec;
  spec.name = "n";
  spec.queue = "q";
  spec.priority = 5;
  spec.argv = {"a", "quote\" back\\slash\nline\ttab\x01 \x7F", "", "\xC3\xA4\xF0\x9F\x98\x80"};
  spec.env = {{"A", "1"}, {"B \"", "x\\"}};
  spec.cwd = "/tmp";
  spec.process.umask = 07;
  spec.stdin_text = "a \"line\"\n";
  spec.user_uid = 4'294'967'294;
  spec.labels = {{"k", "v"}};
  spec.timeout_ms = kMaxDurationMs;
  spec.progress_timeout_ms = 77;
  spec.grace_ms = 0;
  spec.max_attempts = 7;
  spec.backoff = {BackoffKind::constant, 0, 1, 0.123456789};
  spec.retry_on = {{.exit_code = 3, .reason = {}}, {.exit_code = {}, .reason = Reason::oom}};
  spec.no_retry_on = {{.exit_code = {}, .reason = Reason::exit}};
  spec.on_lost = OnLost::fail;
  spec.on_bad_result = OnBadResult::ignore;
  spec.max_lost = 9;
  spec.keep_ms = 0;
  spec.notify = {{"mail", {HookEvent::failed}}, {"chat", {}}};
  task.delay_ms = 12;
  task.hold = true;
  return task;
}

void check_same(const NewTask& a, const NewTask& b) {
  CHECK(a.spec == b.spec);
  CHECK(a.delay_ms == b.delay_ms);
  CHECK(a.run_at == b.run_at);
  CHECK(a.hold == b.hold);
}

TEST_CASE("a submit body that is written reads back as it was") {
  NewTask task = rich_task();
  check_same(accepted(to_json(task)), task);
  task.spec.argv.clear();
  task.spec.shell = "exit 1";
  task.spec.stdin_text.clear();
  task.spec.stdin_file = "/in";
  task.spec.user_uid.reset();
  task.spec.user_name = "alice";
  task.delay_ms.reset();
  task.run_at = WallTime{1'772'366'400'123};
  check_same(accepted(to_json(task)), task);
  NewTask plain;
  plain.spec.argv = {"true"};
  CHECK(to_json(plain).dump() == R"({"argv":["true"]})");
}

TEST_CASE("a task that is still to be made reads back as it was, whatever it depends on") {
  NewTask task = rich_task();
  task.spec.constraints.named.clear();
  task.spec.constraints.depends_on = {{12, DependencyOn::any, true}, {12, DependencyOn::failed}};
  task.array = ArrayRange{5, 5'000'000'000, 2, 7};
  NewTask read = task_from_stored(task_to_stored(task));
  check_same(read, task);
  CHECK(read.array == task.array);
  task.spec.user_uid.reset();
  task.spec.user_name = "alice";
  task.delay_ms.reset();
  task.run_at = WallTime{1'772'366'400'123};
  read = task_from_stored(task_to_stored(task));
  check_same(read, task);
  for (const char* text :
       {"", "[]", R"({"version":1,"hold":1})", R"({"version":1,"run_at":"x"})",
        R"({"version":1,"array":{"last":1,"x":1}})", R"({"version":1,"array":[]})",
        R"({"version":1,"array":{"first":2,"last":1}})",
        R"({"version":1,"array":{"first":0,"last":1,"step":0}})",
        R"({"version":1,"priority":{}})", R"({"version":1,"depends_on":[{"tasks":"last"}]})",
        R"({"version":1,"nonsense":1})"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(task_from_stored(text), std::runtime_error);
  }
}

TEST_CASE("the stored form reads back as it was, but for what has columns of its own") {
  TaskSpec spec = rich_task().spec;
  spec.user_name = "never stored";
  TaskSpec read;
  read.name = spec.name;
  read.queue = spec.queue;
  read.priority = spec.priority;
  spec_from_stored(spec_to_stored(spec), read);
  spec.user_name.clear();
  spec.constraints.depends_on.clear();
  CHECK(read == spec);
}

TEST_CASE("a handler takes any JSON as its payload, and keeps it in its stored form") {
  for (const char* text : {"17", "\"x\"", "[1,2.5,null]", R"({"to":"x\ny","n":{"a":[true]}})"}) {
    CAPTURE(text);
    const NewTask task = accepted({{"handler", "send_email"}, {"payload", json::parse(text)}});
    CHECK(task.spec.handler == "send_email");
    CHECK(json::parse(task.spec.payload) == json::parse(text));
    TaskSpec stored;
    spec_from_stored(spec_to_stored(task.spec), stored);
    CHECK(stored == task.spec);
    CHECK(to_json(task).at("payload") == json::parse(text));
  }
  CHECK(accepted({{"handler", "send_email"}}).spec.payload.empty());
  CHECK(accepted({{"handler", "send_email"}, {"payload", nullptr}}).spec.payload.empty());
}

TEST_CASE("a handler has a name, and what it says nobody else does") {
  const auto pointer = [](json more) {
    json body = {{"handler", "mail"}};
    body.update(more);
    const auto errors = refused(body);
    CHECK(errors.size() == 1);
    return errors.front().pointer;
  };
  for (const json& name : {json(""), json("a b"), json(5), json("-x"), json(std::string(65, 'x'))})
    CHECK(pointer({{"handler", name}}) == "#/handler");
  CHECK(pointer({{"argv", {"x"}}}) == "#");
  CHECK(pointer({{"env", {{"A", "1"}}}}) == "#/env");
  CHECK(pointer({{"cwd", "/"}}) == "#/cwd");
  CHECK(pointer({{"stdin", {{"text", "x"}}}}) == "#/stdin");
  CHECK(pointer({{"user", 5}}) == "#/user");
  CHECK(pointer({{"payload", std::string(kMaxPayloadBytes - 1, 'x')}}) == "#/payload");
  CHECK(accepted({{"handler", "m"}, {"payload", std::string(kMaxPayloadBytes - 2, 'x')}})
            .spec.payload.size() == kMaxPayloadBytes);
  CHECK(refused_field("payload", 5).pointer == "#/payload");
  CHECK(refused({{"name", "x"}}).front().detail ==
        "exactly one of \"argv\", \"shell\" and \"handler\" is needed");
}

}  // namespace
}  // namespace taskd
