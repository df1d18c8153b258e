// How often a task is tried, how long the pauses are, and what happens afterwards; with the
// defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/task/notify.h"
#include "daemon/task/state.h"

namespace taskd {

enum class BackoffKind { exponential, linear, constant };
enum class OnLost { rerun, fail };
enum class OnBadResult { fail, ignore };

struct Backoff {
  BackoffKind kind = BackoffKind::exponential;
  std::int64_t initial_ms = 10'000;
  std::int64_t max_ms = 3'600'000;
  double jitter = 0.1;  // the delay is multiplied by a random factor from 1 - jitter to 1 + jitter
  bool operator==(const Backoff&) const = default;
};

// One entry of retry_on / no_retry_on: an exit code (1 to 255), or a reason such as "timeout".
struct RetryMatch {
  std::optional<int> exit_code;
  std::optional<Reason> reason;
  bool operator==(const RetryMatch&) const = default;
};

// The part of a spec that the store itself acts on: tries, keep time, notifications. Stored apart
// from the rest of the spec, which may be a megabyte.
struct TaskPolicy {
  int max_attempts = 1;  // lost attempts do not count
  Backoff backoff;
  std::vector<RetryMatch> retry_on;     // if not empty, only these ends are retried
  std::vector<RetryMatch> no_retry_on;  // these ends are never retried
  OnLost on_lost = OnLost::rerun;
  OnBadResult on_bad_result = OnBadResult::fail;  // when its result is rejected
  // Re-runs after a loss; one more loss fails the task as poison
  int max_lost = 3;
  // After its end; then the pruner removes the task
  std::int64_t keep_ms = 30LL * 24 * 3600 * 1000;
  std::vector<Notify> notify;  // hooks to notify, in addition to the queue's
  bool operator==(const TaskPolicy&) const = default;
};

}  // namespace taskd
