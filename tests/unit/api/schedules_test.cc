#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/text.h"
#include "tests/unit/api/api_fixture.h"
#include "wire/wire.h"

namespace taskd::test {
namespace {

using nlohmann::json;

const std::string kBackup = "/v1/schedules/backup";

json nightly() {
  return {{"cron", "0 3 * * 1-5"}, {"zone", "Europe/Paris"}, {"task", {{"argv", {"true"}}}}};
}
json with(const char* name, const json& value) {
  json body = nightly();
  body[name] = value;
  return body;
}
json every_10m() {
  return {{"every_ms", 600'000}, {"task", {{"argv", {"true"}}}}};
}

TEST_CASE("a schedule that is put looks as documented, and a second PUT replaces it") {
  const ApiFixture api;
  CHECK(api.ask(get("/v1/schedules")).json() ==
        json{{"schedules", json::array()}, {"next_cursor", nullptr}});
  const Response made = api.ask(put(kBackup, nightly().dump()));
  REQUIRE_MESSAGE(made.status == 201, made.body);
  CHECK(made.header("Location") == kBackup);
  json schedule = made.json();
  CHECK(schedule.at("created_at").get<std::string>().ends_with("Z"));
  const auto next = parse_rfc3339(schedule.at("next_at").get<std::string>());
  REQUIRE(next);
  CHECK(*next > SystemClock().wall_now());
  for (const char* name : {"created_at", "next_at"}) schedule.erase(name);
  CHECK(schedule == json{{"name", "backup"},
                         {"user", ::geteuid()},
                         {"cron", "0 3 * * 1-5"},
                         {"zone", "Europe/Paris"},
                         {"every_ms", nullptr},
                         {"catch_up", "one"},
                         {"overlap", "skip"},
                         {"task", {{"argv", {"true"}}}},
                         {"paused", nullptr},
                         {"last_slot", nullptr}});
  json shown = api.ask(get(kBackup)).json();
  CHECK(shown.at("slots") == json::array());
  shown.erase("slots");
  CHECK(shown == made.json());
  CHECK(api.ask(get("/v1/schedules")).json().at("schedules") == json::array({made.json()}));

  json other = every_10m();
  other["catch_up"] = "none";
  other["overlap"] = "replace";
  other["task"] = {{"shell", "date"}, {"env", {{"SECRET", "x"}}}, {"labels", {{"team", "web"}}}};
  const Response replaced = api.ask(put(kBackup, other.dump()));
  CHECK(replaced.status == 200);
  CHECK(replaced.json().at("every_ms") == 600'000);
  CHECK(replaced.json().at("cron").is_null());
  CHECK(replaced.json().at("zone").is_null());
  CHECK(replaced.json().at("catch_up") == "none");
  CHECK(replaced.json().at("overlap") == "replace");
  CHECK(replaced.json().at("task") ==
        json{{"shell", "date"}, {"env", {{"SECRET", "***"}}}, {"labels", {{"team", "web"}}}});
}

TEST_CASE("a cron line without a zone gets the machine's") {
  const ApiFixture api;
  json body = nightly();
  body.erase("zone");
  const Response made = api.ask(put(kBackup, body.dump()));
  CHECK(made.status == 201);
  CHECK(made.json().at("zone").get<std::string>() != "");
}

TEST_CASE("a schedule that cannot be is refused with the field, and nothing is made") {
  const ApiFixture api;
  json both = nightly();
  both["every_ms"] = 600'000;
  both.erase("zone");
  const json neither = {{"task", {{"argv", {"true"}}}}};
  json every_in_zone = every_10m();
  every_in_zone["zone"] = "UTC";
  json no_task = nightly();
  no_task.erase("task");
  const auto every = [](const json& ms) {
    json body = every_10m();
    body["every_ms"] = ms;
    return body;
  };
  const auto task_with = [](const char* name, const json& value) {
    return with("task", {{"argv", {"true"}}, {name, value}});
  };
  struct Case {
    json body;
    std::string pointer;
    std::string detail;  // begins with
  };
  const Case cases[] = {
      {with("cron", "* * 31 2 *"), "#/cron", "day of month: no month given has such a day"},
      {with("cron", "60 * * * *"), "#/cron", "minute: 60 is not in 0-59"},
      {with("cron", "* 24 * * *"), "#/cron", "hour: 24 is not in 0-23"},
      {with("cron", "* * * * * *"), "#/cron", "expected 5 fields"},
      {with("cron", "@reboot"), "#/cron", "\"@reboot\" is not one of @yearly"},
      {with("cron", std::string(4000, '*')), "#/cron", "longer than 1024 bytes"},
      {with("cron", std::string(5000, '*')), "#/cron", "must have at most 4096 bytes"},
      {with("cron", "* * *\x01* *"), "#/cron", "must not contain control"},
      {with("cron", ""), "#/cron", "must not be empty"},
      {with("cron", 5), "#/cron", "must be a string"},
      {with("zone", "../../etc/passwd"), "#/zone", "there is no time zone \"../../etc/passwd\""},
      {with("zone", "Europe/Atlantis"), "#/zone", "there is no time zone \"Europe/Atlantis\""},
      {with("zone", ""), "#/zone", "must not be empty"},
      {with("zone", nullptr), "#/zone", "must not be null"},
      {both, "#", "exactly one of \"cron\" and \"every_ms\" is needed"},
      {neither, "#", "exactly one of \"cron\" and \"every_ms\" is needed"},
      {every_in_zone, "#/zone", "belongs to \"cron\""},
      {every(999), "#/every_ms", "must be from 1000 to 315360000000"},
      {every(315'360'000'001), "#/every_ms", "must be from 1000 to 315360000000"},
      {every("10m"), "#/every_ms", "must be an integer"},
      {with("catch_up", "some"), "#/catch_up", "must be \"one\", \"all\" or \"none\""},
      {with("overlap", true), "#/overlap", "must be \"skip\", \"queue\" or \"replace\""},
      {with("ctach_up", "one"), "#/ctach_up", "unknown field; did you mean \"catch_up\"?"},
      {with("name", "backup"), "#/name", "unknown field"},
      {no_task, "#/task", "is needed"},
      {with("task", "true"), "#/task", "must be an object"},
      {with("task", json::object()), "#/task", ""},
      {task_with("delay_ms", 5), "#/task/delay_ms", "the schedule says when; leave it out"},
      {task_with("run_at", "2026-03-01T12:00:00Z"), "#/task/run_at", "the schedule says when"},
      {task_with("hold", true), "#/task/hold", "the schedule says when; leave it out"},
      {task_with("timeout_ms", -1), "#/task/timeout_ms", "must be from 0"},
  };
  for (const Case& c : cases) {
    const std::string body = c.body.dump();
    CAPTURE(body.substr(0, 200));
    const Response wrong = api.ask(put(kBackup, body));
    CHECK(wrong.status == 422);
    CHECK(wrong.code() == "invalid_request");
    const json errors = wrong.json().at("errors");
    REQUIRE_MESSAGE(errors.size() == 1, wrong.body);
    CHECK(errors[0].at("pointer") == c.pointer);
    const auto detail = errors[0].at("detail").get<std::string>();
    CHECK_MESSAGE(detail.starts_with(c.detail), detail);
  }
  json many = nightly();
  many["cron"] = "61 * * * *";
  many["zone"] = "Nowhere";
  many["overlap"] = "no";
  many["task"] = {{"argv", json::array()}, {"hold", true}};
  CHECK(api.ask(put(kBackup, many.dump())).json().at("errors").size() == 5);
  CHECK(api.ask(put(kBackup, "[]")).code() == "bad_json");
  CHECK(api.ask(put("/v1/schedules/-x", nightly().dump())).code() == "invalid_request");
  CHECK(api.ask(put("/v1/schedules/" + std::string(65, 'x'), nightly().dump())).status == 422);
  CHECK(api.ask(get("/v1/schedules")).json().at("schedules").empty());
}

TEST_CASE("a schedule's queue and user are looked up when it is put") {
  const ApiFixture api;
  const Response queue =
      api.ask(put(kBackup, with("task", {{"argv", {"true"}}, {"queue", "nowhere"}}).dump()));
  CHECK(queue.status == 422);
  CHECK(queue.code() == "unknown_queue");
  CHECK(queue.json().at("errors").at(0).at("pointer") == "#/task/queue");
  const Response user =
      api.ask(put(kBackup, with("task", {{"argv", {"true"}}, {"user", "no-such-one"}}).dump()));
  CHECK(user.code() == "unknown_user");
  CHECK(user.json().at("errors").at(0).at("pointer") == "#/task/user");
  CHECK(api.ask(get(kBackup)).code() == "no_such_schedule");
}

TEST_CASE("a paused schedule has no next slot until it is resumed") {
  const ApiFixture api;
  CHECK(api.ask(put(kBackup, every_10m().dump())).status == 201);
  const Response paused = api.ask(post(kBackup + "/pause", R"({"reason":"disk is full"})"));
  CHECK(paused.status == 200);
  CHECK(paused.json().at("paused").at("reason") == "disk is full");
  CHECK(paused.json().at("paused").at("user") == ::geteuid());
  CHECK(paused.json().at("next_at").is_null());
  CHECK(api.ask(post(kBackup + "/pause", R"({"why":"x"})")).status == 422);
  CHECK(api.ask(post(kBackup + "/resume", R"({"reason":"x"})")).status == 422);
  const Response resumed = api.ask(post(kBackup + "/resume", ""));
  CHECK(resumed.json().at("paused").is_null());
  CHECK(resumed.json().at("next_at").is_string());
}

TEST_CASE("a trigger submits the task now, paused or not, unless its queue takes nothing") {
  const ApiFixture api;
  CHECK(api.ask(put("/v1/queues/mail", "{}")).status == 201);
  json body = every_10m();
  body["task"]["queue"] = "mail";
  CHECK(api.ask(put(kBackup, body.dump())).status == 201);
  CHECK(api.ask(post(kBackup + "/pause", "")).status == 200);
  const Response triggered = api.ask(post(kBackup + "/trigger", ""));
  CHECK(triggered.status == 201);
  CHECK(triggered.json().at("id") == 1);
  CHECK(triggered.json().at("queue") == "mail");
  CHECK(triggered.header("Location") == "/v1/tasks/1");
  CHECK(api.claim().task == 1);
  CHECK(api.ask(post("/v1/queues/mail/drain", "")).status == 200);
  const Response drained = api.ask(post(kBackup + "/trigger", "{}"));
  CHECK(drained.status == 503);
  CHECK(drained.code() == "queue_draining");
  CHECK(api.ask(post(kBackup + "/trigger", R"({"x":1})")).status == 422);
  CHECK(api.rows() == 1);
}

TEST_CASE("a preview tells daylight-saving oddities and takes only sensible limits") {
  const ApiFixture api;
  const json body = {{"cron", "30 2 * * *"}, {"zone", "Europe/Paris"}, {"task", {{"argv", {"x"}}}}};
  CHECK(api.ask(put(kBackup, body.dump())).status == 201);
  const auto preview = [&](const std::string& query) {
    return api.ask(get(kBackup + "/preview" + query));
  };
  const json spring = preview("?from=2026-03-28T12:00:00Z&limit=2").json().at("slots");
  CHECK(spring == json::array({{{"at", "2026-03-29T01:00:00.000Z"},
                                {"local", "2026-03-29T03:00:00+02:00"},
                                {"note", "02:30 is skipped that day; fires when the gap ends"}},
                               {{"at", "2026-03-30T00:30:00.000Z"},
                                {"local", "2026-03-30T02:30:00+02:00"},
                                {"note", ""}}}));
  const json autumn = preview("?from=2026-10-25T00:30:00Z&limit=1").json().at("slots");
  CHECK(autumn.at(0).at("at") == "2026-10-25T00:30:00.000Z");
  CHECK(autumn.at(0).at("note") == "02:30 comes twice; fires the first time");
  CHECK(preview("").json().at("slots").size() == 10);
  CHECK(preview("?limit=1000").json().at("slots").size() == 1000);
  for (const char* wrong : {"?limit=0", "?limit=1001", "?limit=x", "?from=tomorrow", "?to=x"}) {
    CHECK(preview(wrong).code() == "invalid_request");
  }
  CHECK(api.ask(put("/v1/schedules/often", every_10m().dump())).status == 201);
  const json often = api.ask(get("/v1/schedules/often")).json();
  const json slots = api.ask(get("/v1/schedules/often/preview?from=2020-01-01T00:00:00Z&limit=1"))
                         .json()
                         .at("slots");
  CHECK(slots.at(0).at("at") == often.at("next_at"));
  CHECK(slots.at(0).at("note") == "");
}

TEST_CASE("a schedule whose zone is gone from the machine is shown, but has no preview") {
  const ApiFixture api;
  ScheduleSettings settings;
  settings.name = "backup";
  settings.cron = "0 3 * * *";
  settings.zone = "Europe/Atlantis";
  settings.task.argv = {"true"};
  api.store().put_schedule({::geteuid(), true}, ::geteuid(), settings);
  CHECK(api.ask(get(kBackup)).json().at("next_at").is_null());
  const Response preview = api.ask(get(kBackup + "/preview"));
  CHECK(preview.status == 409);
  CHECK(preview.code() == "unknown_zone");
}

TEST_CASE("the slots of a schedule are shown with what became of them, the latest first") {
  const ApiFixture api;
  CHECK(api.ask(put(kBackup, every_10m().dump())).status == 201);
  const Schedule schedule = api.store().schedule({0, true}, {::geteuid(), "backup"}).value();
  const WallTime first = schedule.created_at + 600'000;
  std::vector<WallTime> slots;
  for (int i = 0; i < 12; ++i) slots.push_back(first + i * 600'000);
  api.store().fire({schedule.id, schedule.done_until, slots, slots.back(), std::nullopt});
  const json shown = api.ask(get(kBackup)).json();
  CHECK(shown.at("slots").size() == 10);
  CHECK(shown.at("last_slot") == shown.at("slots").at(0));
  CHECK(shown.at("last_slot") ==
        json{{"at", format_rfc3339(slots.back())}, {"result", "overlap"}, {"task_id", nullptr}});
  CHECK(api.rows() == 1);
}

TEST_CASE("a removed schedule is gone, and every verb of one that is not there answers 404") {
  const ApiFixture api;
  CHECK(api.ask(put(kBackup, nightly().dump())).status == 201);
  const Response removed = api.ask(remove(kBackup));
  CHECK(removed.status == 200);
  CHECK(removed.json() == json{{"name", "backup"}});
  for (const std::string& request :
       {get(kBackup), remove(kBackup), post(kBackup + "/pause", ""), post(kBackup + "/resume", ""),
        post(kBackup + "/trigger", ""), get(kBackup + "/preview")}) {
    const Response missing = api.ask(request);
    CHECK(missing.status == 404);
    CHECK(missing.code() == "no_such_schedule");
    CHECK(missing.json().at("detail") == "there is no schedule \"backup\" of yours");
  }
  CHECK(api.ask(post(kBackup, "{}")).header("Allow") == "GET, HEAD, PUT, DELETE");
  CHECK(api.ask(get("/v1/schedules?limit=0")).code() == "invalid_request");
}

TEST_CASE("people see and change only their own schedules, and name nobody else as the user" *
          doctest::skip(::geteuid() != 0)) {
  const ApiFixture api;
  CHECK(api.ask(put(kBackup, nightly().dump())).status == 201);
  const std::string path = api.socket_path();
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const auto ask = [&](const std::string& request) {
      RawClient client(path);
      client.send(request);
      return client.receive();
    };
    bool good = ask(get("/v1/schedules")).json().at("schedules").empty() &&
                ask(get(kBackup)).status == 404 && ask(get(kBackup + "/preview")).status == 404 &&
                ask(remove(kBackup)).status == 404;
    for (const char* verb : {"/pause", "/resume", "/trigger"}) {
      good = good && ask(post(kBackup + verb, "")).code() == "no_such_schedule";
    }
    const Response as_root =
        ask(put("/v1/schedules/mine", with("task", {{"argv", {"id"}}, {"user", "root"}}).dump()));
    good = good && as_root.status == 403 && as_root.code() == "not_allowed" &&
           ask(put("/v1/schedules/mine", nightly().dump())).status == 201;
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
  CHECK(api.ask(get("/v1/schedules/mine?user=65534")).json().at("user") == 65534);
  CHECK(api.ask(get("/v1/schedules")).json().at("schedules").size() == 2);
  CHECK(api.ask(remove("/v1/schedules/mine?user=65534")).status == 200);
}

TEST_CASE("a schedule comes back from its JSON as it was") {
  Schedule schedule;
  schedule.uid = 1000;
  schedule.settings = {"backup", "0 3 * * *", "UTC", 0, CatchUp::all, Overlap::queue, {}};
  schedule.settings.task.argv = {"true"};
  schedule.created_at = {1'772'366'400'001};
  schedule.next_at = WallTime{1'772'366'500'000};
  CHECK(schedule_to_json(schedule_from_json(schedule_to_json(schedule))) ==
        schedule_to_json(schedule));
  schedule.settings = {"often", "", "", 5000, CatchUp::none, Overlap::replace, {}};
  schedule.settings.task.shell = "date";
  schedule.next_at.reset();
  schedule.paused = Schedule::Pause{{1'772'366'400'002}, 7, "why"};
  CHECK(schedule_to_json(schedule_from_json(schedule_to_json(schedule))) ==
        schedule_to_json(schedule));
  const Slot slot{{1'772'366'400'000}, {1'772'366'400'004}, SlotResult::fired, 12};
  CHECK(slot_to_json(slot_from_json(slot_to_json(slot))) == slot_to_json(slot));
  CHECK_THROWS_AS(schedule_from_json(json::object()), std::runtime_error);
  CHECK_THROWS_AS(slot_from_json(json::array()), std::runtime_error);
}

TEST_CASE("making up for every slot goes with waiting in line alone") {
  const ApiFixture api;
  json all = every_10m();
  all["catch_up"] = "all";
  CHECK(api.ask(put(kBackup, all.dump())).json().at("overlap") == "queue");
  all["overlap"] = "skip";
  const Response refused = api.ask(put(kBackup, all.dump()));
  CHECK(refused.status == 422);
  CHECK(refused.json().at("errors").at(0).at("pointer") == "#/overlap");
}

}  // namespace
}  // namespace taskd::test
