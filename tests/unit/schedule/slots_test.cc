#include "daemon/schedule/slots.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "daemon/base/text.h"

namespace taskd {
namespace {

CronRule rule(std::string_view cron, std::string_view zone) {
  return {std::get<Cron>(parse_cron(cron)), Zone::load(zone).value()};
}

WallTime at(std::string_view text) {
  return parse_rfc3339(text).value();
}

// The slots after `from`, in UTC to the minute.
std::vector<std::string> slots(const Rule& rule, std::string_view from, int count) {
  std::vector<std::string> found;
  WallTime time = at(from);
  for (int i = 0; i < count; ++i) {
    const auto slot = next_slot(rule, time);
    if (!slot) break;
    found.push_back(format_rfc3339(*slot).substr(0, 16));
    time = *slot;
  }
  return found;
}

using Times = std::vector<std::string>;

TEST_CASE("a slot is strictly after the time asked about") {
  const CronRule noon = rule("0 12 * * *", "UTC");
  CHECK(slots(noon, "2026-01-01T11:59:59.999Z", 1) == Times{"2026-01-01T12:00"});
  CHECK(slots(noon, "2026-01-01T12:00:00Z", 1) == Times{"2026-01-02T12:00"});
}

TEST_CASE("months, leap years and weekdays come in the order of the calendar") {
  CHECK(slots(rule("0 0 31 * *", "UTC"), "2026-01-31T00:00:00Z", 3) ==
        Times{"2026-03-31T00:00", "2026-05-31T00:00", "2026-07-31T00:00"});
  CHECK(slots(rule("0 0 29 2 *", "UTC"), "2026-01-01T00:00:00Z", 2) ==
        Times{"2028-02-29T00:00", "2032-02-29T00:00"});
  CHECK(slots(rule("0 0 29 2 *", "UTC"), "2096-03-01T00:00:00Z", 1) == Times{"2104-02-29T00:00"});
  CHECK(slots(rule("0 3 * * 1-5", "UTC"), "2026-11-20T03:00:00Z", 2) ==
        Times{"2026-11-23T03:00", "2026-11-24T03:00"});
  CHECK(slots(rule("0 0 13 * fri", "UTC"), "2026-11-07T00:00:00Z", 3) ==
        Times{"2026-11-13T00:00", "2026-11-20T00:00", "2026-11-27T00:00"});
}

// Transitions as the IANA database has them (tzdata: europe, northamerica, australasia, …).
TEST_CASE("a skipped time fires once after the gap, a doubled one the first time") {
  struct Case {
    const char* zone;
    const char* cron;
    const char* from;
    Times expected;
  };
  const Case cases[] = {
      // 29 March 2026 02:00 -> 03:00 and 25 October 2026 03:00 -> 02:00 in Paris.
      {"Europe/Paris",
       "30 2 * * *",
       "2026-03-28T00:00:00Z",
       {"2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"}},
      {"Europe/Paris",
       "0,10,20 2 * * *",
       "2026-03-28T02:00:00Z",
       {"2026-03-29T01:00", "2026-03-30T00:00"}},
      {"Europe/Paris",
       "30 2 * * *",
       "2026-10-24T12:00:00Z",
       {"2026-10-25T00:30", "2026-10-26T01:30"}},
      // 8 March and 1 November 2026 in New York.
      {"America/New_York",
       "30 2 * * *",
       "2026-03-07T12:00:00Z",
       {"2026-03-08T07:00", "2026-03-09T06:30"}},
      {"America/New_York",
       "15 1 * * *",
       "2026-10-31T12:00:00Z",
       {"2026-11-01T05:15", "2026-11-02T06:15"}},
      // Half an hour only: 4 October 2026 02:00 -> 02:30 and 5 April 2026 02:00 -> 01:30.
      {"Australia/Lord_Howe",
       "15 2 * * *",
       "2026-10-03T00:00:00Z",
       {"2026-10-03T15:30", "2026-10-04T15:15"}},
      {"Australia/Lord_Howe",
       "45 1 * * *",
       "2026-04-04T00:00:00Z",
       {"2026-04-04T14:45", "2026-04-05T15:15"}},
      // Over midnight: 6 September 2026 00:00 -> 01:00 in Santiago.
      {"America/Santiago",
       "30 0 * * *",
       "2026-09-05T12:00:00Z",
       {"2026-09-06T04:00", "2026-09-07T03:30"}},
      // A whole day that never was: 30 December 2011 in Samoa.
      {"Pacific/Apia",
       "0 9 * * *",
       "2011-12-29T12:00:00Z",
       {"2011-12-29T19:00", "2011-12-30T10:00", "2011-12-30T19:00"}},
      // Summer time that is standard by law: 25 October 2026 02:00 -> 01:00 in Dublin.
      {"Europe/Dublin",
       "30 1 * * *",
       "2026-10-24T12:00:00Z",
       {"2026-10-25T00:30", "2026-10-26T01:30"}},
      // No change at all, and a zone of 45 minutes.
      {"Asia/Kathmandu",
       "0 6 * * *",
       "2026-01-01T00:00:00Z",
       {"2026-01-01T00:15", "2026-01-02T00:15"}},
      // By the rule, since no table goes this far: 28 March 2060 in Paris.
      {"Europe/Paris",
       "30 2 * * *",
       "2060-03-27T12:00:00Z",
       {"2060-03-28T01:00", "2060-03-29T00:30"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.zone);
    CAPTURE(c.from);
    CHECK(slots(rule(c.cron, c.zone), c.from, static_cast<int>(c.expected.size())) == c.expected);
  }
}

TEST_CASE("a line of all hours goes on through a change of the clock at an even pace") {
  CHECK(slots(rule("*/30 * * * *", "Europe/Paris"), "2026-10-24T23:45:00Z", 6) ==
        Times{"2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30",
              "2026-10-25T02:00", "2026-10-25T02:30"});
  CHECK(slots(rule("*/30 * * * *", "Europe/Paris"), "2026-03-29T00:15:00Z", 3) ==
        Times{"2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"});
  // No 02:30 that day; the one time that is left of a wider step is not lost.
  CHECK(slots(rule("30 * * * *", "Europe/Paris"), "2026-03-28T23:45:00Z", 3) ==
        Times{"2026-03-29T00:30", "2026-03-29T01:30", "2026-03-29T02:30"});
  CHECK(slots(rule("30 */2 * * *", "Europe/Paris"), "2026-03-28T23:45:00Z", 2) ==
        Times{"2026-03-29T01:00", "2026-03-29T02:30"});
  CHECK(slots(rule("30 0-23 * * *", "Europe/Paris"), "2026-03-28T23:45:00Z", 3) ==
        Times{"2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"});
  CHECK(slots(rule("30 * * * *", "Pacific/Apia"), "2011-12-30T08:45:00Z", 2) ==
        Times{"2011-12-30T09:30", "2011-12-30T10:30"});
  // Put back over midnight: 00:01 -> 23:01 of the day before.
  CHECK(slots(rule("@hourly", "America/St_Johns"), "2010-11-07T01:45:00Z", 3) ==
        Times{"2010-11-07T02:30", "2010-11-07T03:30", "2010-11-07T04:30"});
}

TEST_CASE("a day that must also be a certain weekday may be forty years away") {
  // 29 February on a Sunday, Tuesday, Thursday or Saturday.
  CHECK(slots(rule("0 0 29 2 */2", "UTC"), "2026-01-01T00:00:00Z", 4) ==
        Times{"2028-02-29T00:00", "2032-02-29T00:00", "2048-02-29T00:00", "2052-02-29T00:00"});
  CHECK(slots(rule("0 0 29 2 */7", "UTC"), "2088-03-01T00:00:00Z", 1) == Times{"2128-02-29T00:00"});
  // On each weekday, over all the years after which the calendar begins anew.
  for (std::size_t day = 0; day < 7; ++day) {
    CronRule leap = rule("0 0 29 2 */7", "UTC");
    leap.cron.weekdays.reset();
    leap.cron.weekdays.set(day);
    const Times all = slots(leap, "2000-01-01T00:00:00Z", 13);
    CHECK(all.size() == 13);
    CHECK(all.back() < "2400");
  }
}

TEST_CASE("every so often counts from its anchor, whatever happened in between") {
  const EveryRule every{600'000, at("2026-01-01T00:05:00Z")};
  CHECK(slots(every, "2025-12-31T00:00:00Z", 2) == Times{"2026-01-01T00:05", "2026-01-01T00:15"});
  CHECK(slots(every, "2026-01-01T00:05:00Z", 1) == Times{"2026-01-01T00:15"});
  CHECK(slots(every, "2026-01-01T07:11:12Z", 1) == Times{"2026-01-01T07:15"});
}

TEST_CASE("after an absence the missed slots run once, each, or not at all") {
  const CronRule hourly = rule("@hourly", "UTC");
  const WallTime before = at("2026-01-01T00:00:00Z");
  const WallTime back = at("2026-01-01T04:30:00Z");
  CHECK(due_slots(hourly, before, back, CatchUp::one, 100) ==
        std::vector{at("2026-01-01T04:00:00Z")});
  CHECK(due_slots(hourly, before, back, CatchUp::none, 100).empty());
  CHECK(due_slots(hourly, before, back, CatchUp::all, 100).size() == 4);
  CHECK(due_slots(hourly, before, back, CatchUp::all, 3) ==
        std::vector{at("2026-01-01T01:00:00Z"), at("2026-01-01T02:00:00Z"),
                    at("2026-01-01T03:00:00Z")});
  const WallTime on_time = at("2026-01-01T04:00:30Z");
  CHECK(due_slots(hourly, before, on_time, CatchUp::none, 100) ==
        std::vector{at("2026-01-01T04:00:00Z")});
  CHECK(due_slots(hourly, on_time, back, CatchUp::all, 100).empty());
}

TEST_CASE("the last slot is found at once, however long the absence") {
  CHECK(last_slot(rule("* * * * *", "Europe/Paris"), {0}, at("2026-07-01T10:11:12Z")) ==
        at("2026-07-01T10:11:00Z"));
  CHECK(last_slot(rule("0 0 29 2 *", "UTC"), {0}, at("2026-07-01T00:00:00Z")) ==
        at("2024-02-29T00:00:00Z"));
  CHECK_FALSE(
      last_slot(rule("0 12 * * *", "UTC"), at("2026-07-01T12:00:00Z"), at("2026-07-02T11:59:59Z")));
  CHECK(last_slot(EveryRule{1000, {500}}, {0}, at("2026-07-01T00:00:00Z")) ==
        at("2026-06-30T23:59:59.500Z"));
  CHECK_FALSE(last_slot(EveryRule{1000, {500}}, {0}, {499}));
}

TEST_CASE("a slot that is not where the line says tells why") {
  const CronRule half_past_two = rule("30 2 * * *", "Europe/Paris");
  CHECK(slot_note(half_past_two, at("2026-03-29T01:00:00Z")) ==
        "02:30 is skipped that day; fires when the gap ends");
  CHECK(slot_note(half_past_two, at("2026-10-25T00:30:00Z")) ==
        "02:30 comes twice; fires the first time");
  CHECK(slot_note(half_past_two, at("2026-06-01T00:30:00Z")).empty());
  const CronRule hourly = rule("@hourly", "Europe/Paris");
  CHECK(slot_note(hourly, at("2026-03-29T01:00:00Z")).empty());
  CHECK(slot_note(hourly, at("2026-10-25T01:00:00Z")) == "02:00 comes twice; the second of both");
}

TEST_CASE("zones are those of the database, and no name leads out of it") {
  for (const char* name :
       {"", "Nowhere/Nothing", "../../etc/passwd", "/etc/localtime", "Europe/../UTC",
        "Europe/Paris\n", "posixrules/..", "UTC+25 ", "file:UTC"}) {
    CAPTURE(name);
    CHECK_FALSE(Zone::load(name));
  }
  CHECK(Zone::load("Europe/Paris")->format(at("2026-07-01T00:00:00Z")) ==
        "2026-07-01T02:00:00+02:00");
  CHECK(Zone::load("UTC")->format(at("2026-07-01T00:00:00Z")) == "2026-07-01T00:00:00+00:00");
  CHECK(Zone::load(Zone::system_name()));
}

}  // namespace
}  // namespace taskd
