// A task's life cycle as one pure table, and the decision at the end of an attempt. No clock, no
// SQL.
//
// Every state change in the daemon is an entry in this table.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/task/task.h"

namespace taskd {

enum class Event {
  due,                // its start time has come
  block,              // its key allows no more starts, or a task with precedence arrives
  unblocked,          // its last dependency is met, or its key allows it to start
  unblocked_later,    // … but its start time has not come
  dependency_failed,  // a dependency has failed, and the task fails with it
  reopen,             // the dependency that made it fail or be cancelled is retried
  claim,              // a worker takes it
  succeed,            // the attempt exited 0
  // The attempt failed (or the machine had no room to start it); tried again after a delay
  retry_later,
  give_up,          // the attempt failed and is not tried again
  rerun,            // the attempt was lost (or never began); back into its queue at once
  cancel,           // not running: at once; running: once its processes are dead
  hold,             // a person holds it
  release,          // a person releases it: it starts now, or …
  release_later,    // … at its start time, or …
  release_blocked,  // … when its dependencies are met
  postpone,         // a person gives it a later start time
  retry,            // a person retries it with a fresh budget
};
inline constexpr Event kAllEvents[] = {Event::due,
                                       Event::block,
                                       Event::unblocked,
                                       Event::unblocked_later,
                                       Event::dependency_failed,
                                       Event::reopen,
                                       Event::claim,
                                       Event::succeed,
                                       Event::retry_later,
                                       Event::give_up,
                                       Event::rerun,
                                       Event::cancel,
                                       Event::hold,
                                       Event::release,
                                       Event::release_later,
                                       Event::release_blocked,
                                       Event::postpone,
                                       Event::retry};

std::string_view to_string(Event);

// The state after `event`, or nothing if the table forbids it.
std::optional<State> next_state(State from, Event event);

// How the task's earlier attempts ended.
struct EndCounts {
  int tries = 0;
  int lost = 0;
  int start_failures = 0;  // consecutive starts, up to now, that the machine refused
};

// What the end of an attempt means for its task.
struct EndDecision {
  Event event;                        // succeed, retry_later, give_up, rerun or cancel
  std::optional<Reason> reason = {};  // with give_up
  std::int64_t delay_ms = 0;          // with retry_later
  bool spends_try = false;            // counts against max_attempts
  bool counts_lost = false;           // counts against max_lost
  bool counts_start_failure = false;  // one more consecutive start that the machine refused
};

// `counts` are the task's before this end. `unit` is a random number in [0, 1) for the jitter.
//
// exited 0               succeed, even if a cancel came too late
// other failures         retry_later while tries are left and retry_on / no_retry_on allow it, else
//                        give_up. spawn_failed gives up at once, unless retry_on names "spawn".
// lost                   on_lost fail: give_up(lost). Else rerun, at most max_lost times; the
//                        next loss is give_up(poison). Uses no try.
// not_started            Without a code (the shim exited before the command began), the first time
//                        rerun. Otherwise, and with a code (an errno: the machine has no room, or
//                        the daemon cannot start anything), retry_later after 1 s, 2 s, 4 s … up to
//                        a minute while that lasts. Uses nothing.
// cancelled              cancel if it was requested. Else something else stopped the attempt (a
//                        shutdown), and it counts as lost.
//
// A loss after a planned stop (AttemptEnd::planned_stop) does not count against max_lost.
//
// A task whose cancel was requested never runs again: instead of a retry or rerun it fails with the
// actual reason or, if the attempt was lost or never began, is cancelled.
EndDecision decide_end(const TaskPolicy& policy, const EndCounts& counts, bool cancel_requested,
                       const Outcome& outcome, double unit, bool planned_stop = false);

// The outcome of an attempt, with its result taken into account: with on_bad_result fail, an
// attempt that exited 0 with an invalid result has failed as `reported`.
Outcome judge_result(const TaskPolicy& policy, const AttemptEnd& end);

// The delay before try number `tries + 2`, after `tries` earlier tries and the one that just
// failed: exponential initial * 2^tries, linear initial * (tries + 1), or constant; capped at
// max_ms, then multiplied by 1 - jitter + 2 * jitter * unit.
std::int64_t backoff_delay_ms(const Backoff& backoff, int tries, double unit);

// The reasons that make a task dead: it failed, and the daemon will not retry it, because its
// budget is spent, its end is not retried, or it is poison. Tasks that failed without a try (a
// dependency failed, or they expired) are not dead.
std::vector<Reason> dead_reasons();

// The hook event for a change of state, if any. `spends_try` and `counts_lost` come from the
// decision at the attempt's end.
std::optional<HookEvent> event_to_notify(State from, State to, bool spends_try, bool counts_lost);

}  // namespace taskd
