// How often a task is tried, how long apart, and what becomes of it afterwards; with the defaults.
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
  double jitter = 0.1;  // the delay is multiplied by a factor from 1 - jitter to 1 + jitter
  bool operator==(const Backoff&) const = default;
};

// One entry of retry_on / no_retry_on: an exit code (1 to 255), or a reason such as "timeout".
struct RetryMatch {
  std::optional<int> exit_code;
  std::optional<Reason> reason;
  bool operator==(const RetryMatch&) const = default;
};

// What becomes of a task besides running it: how often it is tried, how long it is kept, who is
// notified. The store keeps it apart from the rest of the spec, which may be a megabyte, since it
// decides by it.
struct TaskPolicy {
  int max_attempts = 1;  // lost attempts do not count
  Backoff backoff;
  std::vector<RetryMatch> retry_on;     // if not empty, only these are retried
  std::vector<RetryMatch> no_retry_on;  // these never are
  OnLost on_lost = OnLost::rerun;
  OnBadResult on_bad_result = OnBadResult::fail;  // when it wrote a result that cannot be taken
  int max_lost = 3;                                // re-runs after a loss; the next loss is poison
  std::int64_t keep_ms = 30LL * 24 * 3600 * 1000;  // after its end; then the pruner removes it
  std::vector<Notify> notify;                      // who is told of it, beside its queue's
  bool operator==(const TaskPolicy&) const = default;
};

}  // namespace taskd
