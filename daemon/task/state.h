// The states of a task, and the reasons of a failure. state_machine.h has the transitions.
#pragma once

#include <cstdint>

namespace taskd {

using TaskId = std::int64_t;  // from 1, never reused

enum class State { scheduled, blocked, held, queued, running, succeeded, failed, cancelled };
inline constexpr State kAllStates[] = {State::scheduled, State::blocked,  State::held,
                                       State::queued,    State::running,  State::succeeded,
                                       State::failed,    State::cancelled};
inline bool is_end(State s) {
  return s == State::succeeded || s == State::failed || s == State::cancelled;
}

// Why a task is `failed`.
enum class Reason {
  exit,
  signal,
  timeout,
  oom,
  spawn,
  lost,
  poison,
  dependency,
  expired,
  reported
};
inline constexpr Reason kAllReasons[] = {
    Reason::exit, Reason::signal, Reason::timeout,    Reason::oom,     Reason::spawn,
    Reason::lost, Reason::poison, Reason::dependency, Reason::expired, Reason::reported};

}  // namespace taskd
