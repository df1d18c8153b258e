#include "daemon/task/state_machine.h"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace taskd {
namespace {

// --- the table ----------------------------------------------------------------------------------

// What design and documentation say, in words and apart from the code's own table.
const std::map<std::pair<std::string, std::string>, std::string> kAllowed = {
    {{"queued", "claim"}, "running"},
    {{"scheduled", "due"}, "queued"},
    {{"queued", "block"}, "blocked"},
    {{"blocked", "unblocked"}, "queued"},
    {{"blocked", "unblocked_later"}, "scheduled"},
    {{"blocked", "dependency_failed"}, "failed"},
    {{"held", "dependency_failed"}, "failed"},
    {{"running", "succeed"}, "succeeded"},
    {{"running", "retry_later"}, "scheduled"},
    {{"running", "give_up"}, "failed"},
    {{"running", "rerun"}, "queued"},
    {{"scheduled", "cancel"}, "cancelled"},
    {{"blocked", "cancel"}, "cancelled"},
    {{"held", "cancel"}, "cancelled"},
    {{"queued", "cancel"}, "cancelled"},
    {{"running", "cancel"}, "cancelled"},
    {{"scheduled", "hold"}, "held"},
    {{"blocked", "hold"}, "held"},
    {{"queued", "hold"}, "held"},
    {{"queued", "postpone"}, "scheduled"},
    {{"held", "release"}, "queued"},
    {{"held", "release_later"}, "scheduled"},
    {{"held", "release_blocked"}, "blocked"},
    {{"succeeded", "retry"}, "queued"},
    {{"failed", "retry"}, "queued"},
    {{"cancelled", "retry"}, "queued"},
    {{"failed", "reopen"}, "blocked"},
    {{"cancelled", "reopen"}, "blocked"},
};

TEST_CASE("every state takes exactly the events it should") {
  std::size_t allowed = 0;
  for (const State from : kAllStates) {
    for (const Event event : kAllEvents) {
      CAPTURE(to_string(from));
      CAPTURE(to_string(event));
      const auto to = next_state(from, event);
      const auto expected =
          kAllowed.find({std::string(to_string(from)), std::string(to_string(event))});
      REQUIRE(to.has_value() == (expected != kAllowed.end()));
      if (!to) continue;
      CHECK(to_string(*to) == expected->second);
      ++allowed;
    }
  }
  CHECK(allowed == kAllowed.size());
}

TEST_CASE(
    "an ended task leaves its end only when a person asks for it or for what it depended on") {
  for (const State from : kAllStates) {
    if (!is_end(from)) continue;
    for (const Event event : kAllEvents) {
      if (event != Event::retry && event != Event::reopen)
        CHECK(next_state(from, event) == std::nullopt);
    }
  }
}

TEST_CASE("events have names of their own") {
  std::set<std::string_view> names;
  for (const Event event : kAllEvents) {
    CHECK_FALSE(to_string(event).empty());
    CHECK(names.insert(to_string(event)).second);
  }
}

// --- the end of an attempt
// ------------------------------------------------------------------------

struct Given {
  TaskSpec spec = {};
  int tries = 0;
  int lost = 0;
  int start_failures = 0;
  bool cancel_requested = false;
};

EndDecision decide(const Given& given, const Outcome& outcome) {
  const EndDecision decision =
      decide_end(given.spec, {given.tries, given.lost, given.start_failures},
                 given.cancel_requested, outcome, 0.5);
  // Whatever the decision, the table allows it, and its parts fit together.
  CHECK(next_state(State::running, decision.event).has_value());
  CHECK(decision.reason.has_value() == (decision.event == Event::give_up));
  CHECK((decision.delay_ms == 0 || decision.event == Event::retry_later));
  CHECK_FALSE((decision.spends_try && decision.counts_lost));
  return decision;
}

TaskSpec with_attempts(int max_attempts) {
  TaskSpec spec;
  spec.max_attempts = max_attempts;
  return spec;
}
RetryMatch on(int exit_code) {
  return {.exit_code = exit_code, .reason = {}};
}
RetryMatch on(Reason reason) {
  return {.exit_code = {}, .reason = reason};
}

const Outcome kExit0{OutcomeKind::exited, 0, ""};
const Outcome kExit3{OutcomeKind::exited, 3, ""};
const Outcome kKilled{OutcomeKind::signaled, 9, ""};
const Outcome kTimedOut{OutcomeKind::timed_out, 0, ""};
const Outcome kOom{OutcomeKind::oom_killed, 0, ""};
const Outcome kNoProgram{OutcomeKind::spawn_failed, 2, "exec"};
const Outcome kReported{OutcomeKind::reported, 0, "out of paper"};
const Outcome kLost{OutcomeKind::lost, 0, ""};
const Outcome kCancelled{OutcomeKind::cancelled, 0, ""};
const Outcome kNotStarted{OutcomeKind::not_started, 0, ""};
const Outcome kNoRoom{OutcomeKind::not_started, 11, "fork"};

TEST_CASE("exit 0 succeeds, however many tries it took") {
  CHECK(decide({}, kExit0).event == Event::succeed);
  CHECK(decide({.spec = with_attempts(3), .tries = 2, .lost = 2}, kExit0).event == Event::succeed);
}

TEST_CASE("a failure is tried again while tries are left") {
  for (const auto& [outcome, reason] :
       std::initializer_list<std::pair<Outcome, Reason>>{{kExit3, Reason::exit},
                                                         {kKilled, Reason::signal},
                                                         {kTimedOut, Reason::timeout},
                                                         {kOom, Reason::oom},
                                                         {kReported, Reason::reported}}) {
    CAPTURE(to_string(outcome.kind));
    const EndDecision first = decide({.spec = with_attempts(3)}, outcome);
    CHECK(first.event == Event::retry_later);
    CHECK(first.delay_ms == 10'000);
    CHECK(first.spends_try);
    const EndDecision second = decide({.spec = with_attempts(3), .tries = 1}, outcome);
    CHECK(second.event == Event::retry_later);
    CHECK(second.delay_ms == 20'000);
    const EndDecision third = decide({.spec = with_attempts(3), .tries = 2}, outcome);
    CHECK(third.event == Event::give_up);
    CHECK(third.reason == reason);
    CHECK(third.spends_try);
  }
}

TEST_CASE("one attempt is the default") {
  CHECK(decide({}, kExit3).event == Event::give_up);
  CHECK(decide({}, kExit3).reason == Reason::exit);
}

TEST_CASE("with retry_on only the named failures are tried again") {
  Given given{.spec = with_attempts(3)};
  given.spec.retry_on = {on(3), on(Reason::timeout)};
  CHECK(decide(given, kExit3).event == Event::retry_later);
  CHECK(decide(given, kTimedOut).event == Event::retry_later);
  CHECK(decide(given, {OutcomeKind::exited, 4, ""}).event == Event::give_up);
  CHECK(decide(given, {OutcomeKind::exited, 4, ""}).reason == Reason::exit);
  CHECK(decide(given, kKilled).reason == Reason::signal);
  // Signal 3 is not exit code 3.
  CHECK(decide(given, {OutcomeKind::signaled, 3, ""}).event == Event::give_up);
  given.tries = 2;
  CHECK(decide(given, kExit3).event == Event::give_up);
}

TEST_CASE("what no_retry_on names is never tried again, whatever retry_on says") {
  Given given{.spec = with_attempts(3)};
  given.spec.no_retry_on = {on(3), on(Reason::oom)};
  CHECK(decide(given, kExit3).reason == Reason::exit);
  CHECK(decide(given, kOom).reason == Reason::oom);
  CHECK(decide(given, {OutcomeKind::exited, 4, ""}).event == Event::retry_later);
  given.spec.retry_on = {on(Reason::exit)};
  CHECK(decide(given, kExit3).event == Event::give_up);
  CHECK(decide(given, {OutcomeKind::exited, 4, ""}).event == Event::retry_later);
}

TEST_CASE("what cannot be started is given up at once, unless retry_on names it") {
  Given given{.spec = with_attempts(3)};
  CHECK(decide(given, kNoProgram).event == Event::give_up);
  CHECK(decide(given, kNoProgram).reason == Reason::spawn);
  given.spec.retry_on = {on(Reason::exit)};
  CHECK(decide(given, kNoProgram).event == Event::give_up);
  given.spec.retry_on = {on(Reason::spawn)};
  CHECK(decide(given, kNoProgram).event == Event::retry_later);
  given.tries = 2;
  CHECK(decide(given, kNoProgram).event == Event::give_up);
  // Its errno is no exit code.
  given = {.spec = with_attempts(3)};
  given.spec.retry_on = {on(2)};
  CHECK(decide(given, kNoProgram).event == Event::give_up);
}

TEST_CASE("a lost attempt runs again without spending a try, until it is poison") {
  for (const int lost : {0, 1, 2}) {
    const EndDecision again = decide({.spec = {}, .lost = lost}, kLost);
    CHECK(again.event == Event::rerun);
    CHECK(again.counts_lost);
    CHECK_FALSE(again.spends_try);
  }
  const EndDecision last = decide({.spec = {}, .lost = 3}, kLost);
  CHECK(last.event == Event::give_up);
  CHECK(last.reason == Reason::poison);
  CHECK(last.counts_lost);
  Given once;
  once.spec.max_lost = 0;
  CHECK(decide(once, kLost).reason == Reason::poison);
}

TEST_CASE("a loss by a planned stop is not counted, but is a loss for what must not run twice") {
  const Outcome stopped{OutcomeKind::cancelled, 0, ""};
  for (const Outcome& outcome : {kLost, stopped}) {
    TaskSpec spec;
    const EndDecision again = decide_end(spec, {0, 3, 0}, false, outcome, 0.5, true);
    CHECK(again.event == Event::rerun);
    CHECK_FALSE(again.counts_lost);
    CHECK_FALSE(again.spends_try);
    CHECK(decide_end(spec, {0, 3, 0}, true, outcome, 0.5, true).event == Event::cancel);
    spec.on_lost = OnLost::fail;
    CHECK(decide_end(spec, {}, false, outcome, 0.5, true).reason == Reason::lost);
  }
}

TEST_CASE("a bad result makes a success a reported failure, and changes no other end") {
  AttemptEnd end;
  end.result_problem = "it is not JSON";
  end.outcome = {OutcomeKind::exited, 0, ""};
  TaskSpec spec;
  CHECK(judge_result(spec, end) ==
        Outcome{OutcomeKind::reported, 0, "its result was rejected: it is not JSON"});
  spec.on_bad_result = OnBadResult::ignore;
  CHECK(judge_result(spec, end) ==
        Outcome{OutcomeKind::exited, 0, "its result was rejected: it is not JSON"});
  spec.on_bad_result = OnBadResult::fail;
  for (const Outcome& other : {Outcome{OutcomeKind::exited, 3, ""},
                               Outcome{OutcomeKind::timed_out, 0, ""}, Outcome{kLost}}) {
    end.outcome = other;
    CHECK(judge_result(spec, end).kind == other.kind);
    CHECK(judge_result(spec, end).code == other.code);
  }
  end.result_problem.clear();
  CHECK(judge_result(spec, end) == end.outcome);
}

TEST_CASE("losses are bounded by max_lost alone, not by the tries") {
  CHECK(decide({.spec = with_attempts(1), .tries = 1}, kLost).event == Event::rerun);
}

TEST_CASE("with on_lost fail the first loss is the end") {
  Given given{.spec = with_attempts(5)};
  given.spec.on_lost = OnLost::fail;
  CHECK(decide(given, kLost).event == Event::give_up);
  CHECK(decide(given, kLost).reason == Reason::lost);
}

TEST_CASE("what never began runs again and spends nothing") {
  const EndDecision at_once = decide({.spec = {}, .tries = 0, .lost = 2}, kNotStarted);
  CHECK(at_once.event == Event::rerun);
  CHECK(at_once.delay_ms == 0);
  CHECK_FALSE(at_once.spends_try);
  CHECK_FALSE(at_once.counts_lost);
  const EndDecision no_room = decide({}, kNoRoom);
  CHECK(no_room.event == Event::retry_later);
  CHECK(no_room.delay_ms == 1000);
  CHECK_FALSE(no_room.spends_try);
  CHECK_FALSE(no_room.counts_lost);
}

TEST_CASE("a start that is refused again and again is tried ever less often, up to once a minute") {
  CHECK(decide({.start_failures = 1}, kNoRoom).delay_ms == 2000);
  CHECK(decide({.start_failures = 5}, kNoRoom).delay_ms == 32'000);
  CHECK(decide({.start_failures = 6}, kNoRoom).delay_ms == 60'000);
  CHECK(decide({.start_failures = 1000}, kNoRoom).delay_ms == 60'000);
  CHECK(decide({}, kNoRoom).counts_start_failure);
  CHECK_FALSE(decide({}, kExit3).counts_start_failure);
}

TEST_CASE("a command that never begins runs again at once only the first time") {
  CHECK(decide({}, kNotStarted).counts_start_failure);
  CHECK(decide({.start_failures = 1}, kNotStarted).event == Event::retry_later);
  CHECK(decide({.start_failures = 1}, kNotStarted).delay_ms == 2000);
  CHECK(decide({.start_failures = 1}, kNotStarted).counts_start_failure);
}

TEST_CASE("an attempt that was stopped cancels its task when that was requested, else it is lost") {
  CHECK(decide({.spec = with_attempts(5), .cancel_requested = true}, kCancelled).event ==
        Event::cancel);
  const EndDecision shutdown = decide({.spec = with_attempts(5)}, kCancelled);
  CHECK(shutdown.event == Event::rerun);
  CHECK(shutdown.counts_lost);
  CHECK_FALSE(shutdown.spends_try);
  TaskSpec at_most_once;
  at_most_once.on_lost = OnLost::fail;
  CHECK(decide({.spec = at_most_once}, kCancelled).reason == Reason::lost);
}

TEST_CASE("a task whose cancel was requested ends as it stands and never runs again") {
  Given given{.spec = with_attempts(5), .cancel_requested = true};
  CHECK(decide(given, kExit0).event == Event::succeed);
  CHECK(decide(given, kExit3).reason == Reason::exit);
  CHECK(decide(given, kKilled).reason == Reason::signal);
  CHECK(decide(given, kTimedOut).reason == Reason::timeout);
  CHECK(decide(given, kOom).reason == Reason::oom);
  CHECK(decide(given, kNoProgram).reason == Reason::spawn);
  CHECK(decide(given, kLost).event == Event::cancel);
  CHECK(decide(given, kNotStarted).event == Event::cancel);
  CHECK(decide(given, kNoRoom).event == Event::cancel);
  given.spec.on_lost = OnLost::fail;
  CHECK(decide(given, kLost).event == Event::cancel);
}

// --- back-off -----------------------------------------------------------------------------------

TEST_CASE("exponential back-off doubles up to its cap") {
  const Backoff backoff{.jitter = 0};
  CHECK(backoff_delay_ms(backoff, 0, 0.5) == 10'000);
  CHECK(backoff_delay_ms(backoff, 1, 0.5) == 20'000);
  CHECK(backoff_delay_ms(backoff, 5, 0.5) == 320'000);
  CHECK(backoff_delay_ms(backoff, 9, 0.5) == 3'600'000);
  CHECK(backoff_delay_ms(backoff, 999, 0.5) == 3'600'000);
  CHECK(backoff_delay_ms(backoff, std::numeric_limits<int>::max(), 0.5) == 3'600'000);
}

TEST_CASE("linear back-off grows by its beginning") {
  const Backoff backoff{.kind = BackoffKind::linear, .jitter = 0};
  CHECK(backoff_delay_ms(backoff, 0, 0.5) == 10'000);
  CHECK(backoff_delay_ms(backoff, 1, 0.5) == 20'000);
  CHECK(backoff_delay_ms(backoff, 2, 0.5) == 30'000);
  CHECK(backoff_delay_ms(backoff, std::numeric_limits<int>::max(), 0.5) == 3'600'000);
}

TEST_CASE("constant back-off stays, under its cap") {
  Backoff backoff{.kind = BackoffKind::constant, .jitter = 0};
  CHECK(backoff_delay_ms(backoff, 0, 0.5) == 10'000);
  CHECK(backoff_delay_ms(backoff, 100, 0.5) == 10'000);
  backoff.max_ms = 500;
  CHECK(backoff_delay_ms(backoff, 0, 0.5) == 500);
}

TEST_CASE("jitter moves the delay both ways, and no delay stays none") {
  Backoff backoff;
  CHECK(backoff_delay_ms(backoff, 0, 0.0) == 9'000);
  CHECK(backoff_delay_ms(backoff, 0, 0.5) == 10'000);
  CHECK(backoff_delay_ms(backoff, 0, 0.999999) == 11'000);
  backoff.jitter = 1;
  CHECK(backoff_delay_ms(backoff, 0, 0.0) == 0);
  CHECK(backoff_delay_ms(backoff, 100, 0.75) == 5'400'000);
  backoff.initial_ms = 0;
  CHECK(backoff_delay_ms(backoff, 100, 0.9) == 0);
  CHECK(backoff_delay_ms(backoff, std::numeric_limits<int>::max(), 0.9) == 0);
}

}  // namespace
}  // namespace taskd
