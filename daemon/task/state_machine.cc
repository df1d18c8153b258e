#include "daemon/task/state_machine.h"

#include <algorithm>
#include <cmath>

namespace taskd {
namespace {

struct Transition {
  State from;
  Event event;
  State to;
};

// All transitions; anything else is forbidden.
constexpr Transition kTransitions[] = {
    {State::scheduled, Event::due, State::queued},
    {State::scheduled, Event::cancel, State::cancelled},
    {State::scheduled, Event::hold, State::held},

    {State::blocked, Event::unblocked, State::queued},
    {State::blocked, Event::unblocked_later, State::scheduled},
    {State::blocked, Event::dependency_failed, State::failed},
    {State::blocked, Event::cancel, State::cancelled},
    {State::blocked, Event::hold, State::held},

    {State::held, Event::release, State::queued},
    {State::held, Event::release_later, State::scheduled},
    {State::held, Event::release_blocked, State::blocked},
    {State::held, Event::dependency_failed, State::failed},
    {State::held, Event::cancel, State::cancelled},

    {State::queued, Event::claim, State::running},
    {State::queued, Event::block, State::blocked},
    {State::queued, Event::cancel, State::cancelled},
    {State::queued, Event::hold, State::held},
    {State::queued, Event::postpone, State::scheduled},

    {State::running, Event::succeed, State::succeeded},
    {State::running, Event::retry_later, State::scheduled},
    {State::running, Event::give_up, State::failed},
    {State::running, Event::rerun, State::queued},
    {State::running, Event::cancel, State::cancelled},

    {State::succeeded, Event::retry, State::queued},
    {State::failed, Event::retry, State::queued},
    {State::failed, Event::reopen, State::blocked},
    {State::cancelled, Event::reopen, State::blocked},
    {State::cancelled, Event::retry, State::queued},
};

bool matches(const RetryMatch& match, Reason reason, const Outcome& outcome) {
  if (match.exit_code) {
    return outcome.kind == OutcomeKind::exited && outcome.code == *match.exit_code;
  }
  return match.reason == reason;
}

bool any_match(const std::vector<RetryMatch>& matches_of_spec, Reason reason,
               const Outcome& outcome) {
  return std::any_of(matches_of_spec.begin(), matches_of_spec.end(),
                     [&](const RetryMatch& match) { return matches(match, reason, outcome); });
}

// Whether the policy allows retrying this failure at all.
bool is_retryable(const TaskPolicy& policy, Reason reason, const Outcome& outcome) {
  if (any_match(policy.no_retry_on, reason, outcome)) return false;
  if (!policy.retry_on.empty()) return any_match(policy.retry_on, reason, outcome);
  return reason != Reason::spawn;  // what could not start once will not start later
}

EndDecision decide_failure(const TaskPolicy& policy, int tries, bool cancel_requested,
                           Reason reason, const Outcome& outcome, double unit) {
  const bool again = tries + 1 < policy.max_attempts && is_retryable(policy, reason, outcome);
  if (cancel_requested || !again)
    return {.event = Event::give_up, .reason = reason, .spends_try = true};
  return {.event = Event::retry_later,
          .delay_ms = backoff_delay_ms(policy.backoff, tries, unit),
          .spends_try = true};
}

EndDecision decide_lost(const TaskPolicy& policy, int lost, bool cancel_requested,
                        bool planned_stop) {
  if (cancel_requested) return {.event = Event::cancel, .counts_lost = true};
  if (policy.on_lost == OnLost::fail)
    return {.event = Event::give_up, .reason = Reason::lost, .counts_lost = true};
  if (planned_stop) return {.event = Event::rerun};
  if (lost >= policy.max_lost)
    return {.event = Event::give_up, .reason = Reason::poison, .counts_lost = true};
  return {.event = Event::rerun, .counts_lost = true};
}

EndDecision decide_not_started(int start_failures, bool cancel_requested, const Outcome& outcome,
                               double unit) {
  constexpr Backoff kRefused{BackoffKind::exponential, 1000, 60'000, 0.1};
  if (cancel_requested) return {.event = Event::cancel};
  // The first time may be caused by the daemon's own end, between claim and start.
  if (outcome.code == 0 && start_failures == 0)
    return {.event = Event::rerun, .counts_start_failure = true};
  return {.event = Event::retry_later,
          .delay_ms = backoff_delay_ms(kRefused, start_failures, unit),
          .counts_start_failure = true};
}

}  // namespace

std::string_view to_string(Event event) {
  switch (event) {
    case Event::due:
      return "due";
    case Event::block:
      return "block";
    case Event::unblocked:
      return "unblocked";
    case Event::unblocked_later:
      return "unblocked_later";
    case Event::dependency_failed:
      return "dependency_failed";
    case Event::reopen:
      return "reopen";
    case Event::claim:
      return "claim";
    case Event::succeed:
      return "succeed";
    case Event::retry_later:
      return "retry_later";
    case Event::give_up:
      return "give_up";
    case Event::rerun:
      return "rerun";
    case Event::cancel:
      return "cancel";
    case Event::hold:
      return "hold";
    case Event::release:
      return "release";
    case Event::release_later:
      return "release_later";
    case Event::release_blocked:
      return "release_blocked";
    case Event::postpone:
      return "postpone";
    case Event::retry:
      return "retry";
  }
  return "";
}

std::optional<State> next_state(State from, Event event) {
  for (const Transition& t : kTransitions) {
    if (t.from == from && t.event == event) return t.to;
  }
  return std::nullopt;
}

EndDecision decide_end(const TaskPolicy& policy, const EndCounts& counts, bool cancel_requested,
                       const Outcome& outcome, double unit, bool planned_stop) {
  const auto failure = [&](Reason reason) {
    return decide_failure(policy, counts.tries, cancel_requested, reason, outcome, unit);
  };
  switch (outcome.kind) {
    case OutcomeKind::exited:
      if (outcome.code == 0) return {.event = Event::succeed, .spends_try = true};
      return failure(Reason::exit);
    case OutcomeKind::signaled:
      return failure(Reason::signal);
    case OutcomeKind::timed_out:
      return failure(Reason::timeout);
    case OutcomeKind::oom_killed:
      return failure(Reason::oom);
    case OutcomeKind::spawn_failed:
      return failure(Reason::spawn);
    case OutcomeKind::reported:
      return failure(Reason::reported);
    case OutcomeKind::lost:
      return decide_lost(policy, counts.lost, cancel_requested, planned_stop);
    case OutcomeKind::cancelled:
      if (!cancel_requested) return decide_lost(policy, counts.lost, false, planned_stop);
      return {.event = Event::cancel, .spends_try = true};
    case OutcomeKind::not_started:
      return decide_not_started(counts.start_failures, cancel_requested, outcome, unit);
  }
  return {.event = Event::give_up, .reason = Reason::lost};
}

Outcome judge_result(const TaskPolicy& policy, const AttemptEnd& end) {
  Outcome outcome = end.outcome;
  if (end.result_problem.empty()) return outcome;
  const std::string problem = "its result was rejected: " + end.result_problem;
  if (policy.on_bad_result == OnBadResult::fail && outcome.kind == OutcomeKind::exited &&
      outcome.code == 0) {
    return {OutcomeKind::reported, 0, problem};
  }
  outcome.detail += (outcome.detail.empty() ? "" : "; ") + problem;
  return outcome;
}

std::int64_t backoff_delay_ms(const Backoff& backoff, int tries, double unit) {
  // Uses doubles: they saturate where integers would overflow, and are exact far beyond max_ms.
  const auto initial = static_cast<double>(backoff.initial_ms);
  double delay = initial;
  if (backoff.kind == BackoffKind::linear) delay = initial * (tries + 1.0);
  if (backoff.kind == BackoffKind::exponential) delay = std::ldexp(initial, tries);
  delay = std::min(delay, static_cast<double>(backoff.max_ms));
  return std::llround(delay * (1 - backoff.jitter + 2 * backoff.jitter * unit));
}

std::vector<Reason> dead_reasons() {
  std::vector<Reason> reasons;
  for (const Reason reason : kAllReasons) {
    if (reason != Reason::dependency && reason != Reason::expired) reasons.push_back(reason);
  }
  return reasons;
}

std::optional<HookEvent> event_to_notify(State from, State to, bool spends_try, bool counts_lost) {
  if (to == State::running) return HookEvent::started;
  if (to == State::succeeded) return HookEvent::succeeded;
  if (to == State::failed) return HookEvent::failed;
  if (to == State::cancelled) return HookEvent::cancelled;
  // Neither event: the attempt never began, and hooks are notified when it does.
  if (from == State::running && spends_try) return HookEvent::retrying;
  if (from == State::running && counts_lost) return HookEvent::lost;
  return std::nullopt;
}

}  // namespace taskd
