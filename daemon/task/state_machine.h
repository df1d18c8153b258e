// The life of a task as one pure table, and the decision at an attempt's end. No clock, no SQL.
//
// Every change of a task's state anywhere in the daemon is a cell of this table.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/task/task.h"

namespace taskd {

enum class Event {
  due,                // its time has come
  block,              // its key lets no more of its tasks start, or a better one comes first
  unblocked,          // the last dependency is met, or the key lets it start
  unblocked_later,    // … but its time has not come
  dependency_failed,  // what it needed of another has gone wrong, and it fails with it
  reopen,             // what it failed or was cancelled with is tried again
  claim,              // a worker takes it
  succeed,            // the attempt exited 0
  retry_later,      // the attempt failed (or had no room to start) and is tried again after a delay
  give_up,          // the attempt failed and is not tried again
  rerun,            // the attempt was lost (or never began) and goes back into its line at once
  cancel,           // before a start: at once; running: once the tree is dead
  hold,             // a person says wait
  release,          // a held task may go on: at once, or …
  release_later,    // … when its time has come, or …
  release_blocked,  // … when its dependencies are met
  postpone,         // a person gives it a later time
  retry,            // a person asks for a fresh budget
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

// The state after `event`, or nothing where the table forbids it.
std::optional<State> next_state(State from, Event event);

// How the task's earlier attempts ended.
struct EndCounts {
  int tries = 0;
  int lost = 0;
  int start_failures = 0;  // starts in a row that the machine refused, up to now
};

// What an attempt's end means for its task.
struct EndDecision {
  Event event;                        // succeed, retry_later, give_up, rerun or cancel
  std::optional<Reason> reason = {};  // with give_up
  std::int64_t delay_ms = 0;          // with retry_later
  bool spends_try = false;            // counts against max_attempts
  bool counts_lost = false;           // counts against max_lost
  bool counts_start_failure = false;  // one more start in a row that the machine refused
};

// `counts` are the task's before this end. `unit` is a random number in [0, 1) for the jitter.
//
// exited 0               succeed, even when a cancel came too late
// other failures         retry_later while tries are left and retry_on / no_retry_on allow it, else
//                        give_up. What could not be spawned is given up at once, unless retry_on
//                        names "spawn".
// lost                   on_lost fail: give_up(lost). Else rerun, at most max_lost times; the
//                        next loss is give_up(poison). Spends no try.
// not_started            without a code (the shim left before the command began) the first time
//                        rerun; else, as with a code (the errno of a machine that has no room, or
//                        of a daemon that cannot start anything), retry_later after a second, then
//                        two, four … up to a minute while that goes on. Spends nothing.
// cancelled              cancel when that was requested; else something else stopped the attempt (a
//                        shutdown), and it counts as lost
//
// A loss after a planned stop (AttemptEnd::planned_stop) does not count against max_lost.
//
// A task whose cancel was requested is never run again: what would have been a retry or rerun ends
// as it stands (failed with its real reason; a lost or never begun one: cancelled).
EndDecision decide_end(const TaskPolicy& policy, const EndCounts& counts, bool cancel_requested,
                       const Outcome& outcome, double unit, bool planned_stop = false);

// The outcome of an attempt, its result considered: with on_bad_result fail, one that exited 0 with
// a result that cannot be taken has failed as `reported`.
Outcome judge_result(const TaskPolicy& policy, const AttemptEnd& end);

// The delay before try number `tries + 2`, after `tries` earlier ones and the one that has just
// failed: exponential initial * 2^tries, linear initial * (tries + 1), or constant; capped at
// max_ms, then multiplied by 1 - jitter + 2 * jitter * unit.
std::int64_t backoff_delay_ms(const Backoff& backoff, int tries, double unit);

// Why a task is dead: it failed and the daemon will not try it again by itself, since its budget is
// spent, its end is one that is not tried again, or it is poison. What failed untried, for what it
// depended on or since it had expired, is not.
std::vector<Reason> dead_reasons();

// What a change of state is to those who are told of it, if anything. `spends_try` and
// `counts_lost` are of the decision at an attempt's end.
std::optional<HookEvent> event_to_notify(State from, State to, bool spends_try, bool counts_lost);

}  // namespace taskd
