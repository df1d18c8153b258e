// The core types: tasks, attempts, outcomes. Plain data without behaviour, shared by the daemon and
// taskctl. DESIGN.md, section "Words", defines the terms.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/process_attributes.h"
#include "daemon/task/array_range.h"
#include "daemon/task/retry_policy.h"
#include "daemon/task/start_constraints.h"
#include "daemon/task/state.h"

namespace taskd {

// How an attempt ended. `not_started`: the shim proves that the command never began.
enum class OutcomeKind {
  exited,        // code = exit code
  signaled,      // code = signal number
  timed_out,     // stopped because of timeout_ms or, as detail says, progress_timeout_ms
  oom_killed,    // the kernel killed it at its memory limit
  spawn_failed,  // code = errno; detail names the step ("exec", "chdir", …)
  lost,          // no evidence of its end survived
  cancelled,     // stopped on request
  reported,      // reported by an outside worker; detail = its error
  not_started,
};

struct Outcome {
  OutcomeKind kind = OutcomeKind::lost;
  int code = 0;
  std::string detail;
  bool operator==(const Outcome&) const = default;
};

struct Usage {
  std::int64_t user_cpu_ms = 0;
  std::int64_t system_cpu_ms = 0;
  std::int64_t max_rss_bytes = 0;
  bool operator==(const Usage&) const = default;
};

// What a submit asks for. Never changes while the task runs.
struct TaskSpec : TaskPolicy {
  std::string name;  // "" = none; shown instead of the command
  std::string queue = "default";
  int priority = 0;               // higher first
  std::vector<std::string> argv;  // exactly one of argv, shell and handler is set
  std::string shell;              // run by /bin/sh -c
  std::string handler;            // a handler that the configuration declares (handler.h)
  std::string payload;            // input for the handler, as compact JSON; "" = null
  std::map<std::string, std::string> env;
  std::string cwd;  // absolute; "" = the user's home
  ProcessAttributes process;
  std::string stdin_file;  // absolute; opened as the task's user when an attempt starts
  std::string stdin_text;  // at most one of the two is set; with neither, stdin is empty
  std::optional<std::uint32_t> user_uid;  // run as this uid; empty = the submitter
  // The "user" of a submit, if it is a name. Never stored: the API resolves it to user_uid and
  // clears it.
  std::string user_name;
  // The name of user_uid when the API wrote it, to notice if the uid is given to somebody else. ""
  // = no user had this uid.
  std::string user_was;
  std::map<std::string, std::string> labels;
  std::int64_t timeout_ms = 0;           // 0 = none
  std::int64_t progress_timeout_ms = 0;  // longest time between two progress reports; 0 = no limit
  std::int64_t grace_ms = 10'000;
  StartConstraints constraints;
  bool operator==(const TaskSpec&) const = default;
};

// A submit: the spec and when it may start. At most one of delay_ms and run_at is set.
struct NewTask {
  TaskSpec spec;
  std::optional<std::int64_t> delay_ms;
  std::optional<WallTime> run_at;
  bool hold = false;
  std::optional<ArrayRange> array;  // set: create one task for each index
};

// A job's progress. Fields that a report omits keep their values.
struct Progress {
  std::optional<int> percent;          // 0 to 100
  std::optional<std::string> message;  // at most kMaxMessageBytes
  bool operator==(const Progress&) const = default;
};
inline constexpr std::size_t kMaxMessageBytes = 200;
inline constexpr std::size_t kMaxResultBytes = 64 << 10;  // as compact JSON

// A task's place in its workflow.
struct WorkflowPlace {
  std::int64_t id = 0;
  std::string step;
  bool operator==(const WorkflowPlace&) const = default;
};

// A stored task.
struct Task {
  TaskId id = 0;
  std::uint32_t uid = 0;    // the submitter
  std::string former_user;  // the submitter, if somebody else has the uid now: "alice (uid 1003)"
  std::optional<ArrayPlace> array;
  std::optional<WorkflowPlace> workflow;
  std::string schedule;  // the schedule that submitted it; "" = none, or removed in the meantime
  TaskSpec spec;
  std::string unreadable = {};  // why the stored spec cannot be read; "": it can
  State state = State::queued;
  std::optional<Reason> reason;  // set exactly when failed
  int attempt = 0;               // number of the latest attempt; 0 = none yet
  int tries = 0;                 // tries used of the current max_attempts
  int lost = 0;                  // losses counted against max_lost
  WallTime created_at;
  std::optional<WallTime> due_at;      // earliest start
  std::optional<WallTime> started_at;  // of the latest attempt
  std::optional<WallTime> ended_at;    // set in the three final states
  std::optional<WallTime> cancel_requested_at;
  std::optional<Outcome> last_outcome;  // of the latest attempt, once it has ended
  std::optional<Progress> progress;     // the latest attempt's; empty: none reported
  std::optional<WallTime> progress_at;  // when it was reported
};

// Identifies one attempt. Writes about it require the token. The job knows the attempt's secret;
// the token is its digest (base/digest.h), so nobody can pose as a job with a copy of the database.
struct AttemptKey {
  TaskId task = 0;
  int attempt = 0;
  std::string token;
};

// A task's result, reported by its latest attempt.
struct TaskResult {
  int attempt = 0;
  WallTime at;
  std::string json;  // compact
};

// One execution of a task. (task, number, token) fences every later write about it.
struct Attempt {
  TaskId task = 0;
  int number = 0;  // from 1, without gaps
  std::string token;
  std::string boot_id;
  WallTime started_at;
  Grant granted;
  std::optional<WallTime> ended_at;
  std::optional<Outcome> outcome;
  Usage usage;
  std::string stderr_tail;  // at most 4 KiB
  // Output dropped because of the cap or a full disk.
  std::int64_t stdout_dropped_bytes = 0;
  std::int64_t stderr_dropped_bytes = 0;
};

// What is known about an attempt that has ended.
struct AttemptEnd {
  Outcome outcome;
  Usage usage;
  std::string stderr_tail;            // at most 4 KiB
  std::optional<std::string> result;  // JSON, from its result file
  std::string result_problem =
      {};  // why the result it wrote is invalid; "" = it is valid or missing
  std::optional<WallTime> ended_at;  // empty: take the time of recording
  bool planned_stop = false;         // cancelled or lost: something outside told its shim to stop
  std::int64_t stdout_dropped_bytes = 0;
  std::int64_t stderr_dropped_bytes = 0;
};

// The stable spellings used in SQL, JSON and the CLI. parse_* return nothing for other text.
std::string_view to_string(State);
std::string state_sentence(State);  // "it is held", "it has failed", "it was cancelled"
std::string_view to_string(Reason);
std::string_view to_string(OutcomeKind);
std::string_view to_string(BackoffKind);
std::string_view to_string(OnLost);
std::string_view to_string(OnBadResult);
std::optional<State> parse_state(std::string_view);
std::optional<Reason> parse_reason(std::string_view);
std::optional<OutcomeKind> parse_outcome_kind(std::string_view);
std::optional<BackoffKind> parse_backoff_kind(std::string_view);
std::optional<OnLost> parse_on_lost(std::string_view);
std::optional<OnBadResult> parse_on_bad_result(std::string_view);

// "low" -10, "normal" 0, "high" 10, "urgent" 100, or a decimal 32-bit number.
std::optional<int> parse_priority(std::string_view);

// A umask as people write it: 1 to 4 octal digits, up to 0777. format_umask() writes four.
std::optional<std::uint32_t> parse_umask(std::string_view);
std::string format_umask(std::uint32_t umask);

// The command as a person would type it: the quoted argv, or the shell text; or "handler NAME".
// Always valid UTF-8.
std::string command_line(const TaskSpec&);

}  // namespace taskd
