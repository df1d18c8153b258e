// The values everything else is about: tasks, attempts, outcomes. Plain data without behaviour,
// shared by the daemon and taskctl. The words are those of DESIGN.md, section "Words".
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

// How one attempt ended. `not_started`: the shim proves that the command never began.
enum class OutcomeKind {
  exited,        // code = exit code
  signaled,      // code = signal number
  timed_out,     // ran into timeout_ms or, as detail says, progress_timeout_ms, and was stopped
  oom_killed,    // the kernel killed it for its memory limit
  spawn_failed,  // code = errno; detail names the step ("exec", "chdir", …)
  lost,          // no evidence of its end survived
  cancelled,     // stopped on request
  reported,      // an outside worker said so; detail = its error
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
  std::string handler;            // what the configuration declares under this name (handler.h)
  std::string payload;            // what the handler is to work on, as compact JSON; "" = null
  std::map<std::string, std::string> env;
  std::string cwd;         // absolute; "" = the user's home
  ProcessAttributes process;
  std::string stdin_file;  // absolute; opened as the task's user when an attempt starts
  std::string stdin_text;  // at most one of the two is set; neither: it reads nothing
  std::optional<std::uint32_t> user_uid;  // run as this uid; empty = the submitter
  // A submit's "user" when it is a name. Never stored: the API resolves it to user_uid and clears
  // it before the store sees the task.
  std::string user_name;
  // Whose user_uid was when it was written: by the API, to tell when the uid is given to another.
  // "" = it was in no user database.
  std::string user_was;
  std::map<std::string, std::string> labels;
  std::int64_t timeout_ms = 0;           // 0 = none
  std::int64_t progress_timeout_ms = 0;  // between two reports of its progress; 0 = none promised
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
  std::optional<ArrayRange> array;  // not one task but one for each index
};

// How far a job says it is. What a report leaves out stays as it was.
struct Progress {
  std::optional<int> percent;          // 0 to 100
  std::optional<std::string> message;  // at most kMaxMessageBytes
  bool operator==(const Progress&) const = default;
};
inline constexpr std::size_t kMaxMessageBytes = 200;
inline constexpr std::size_t kMaxResultBytes = 64 << 10;  // as compact JSON

// Where a task stands in its workflow.
struct WorkflowPlace {
  std::int64_t id = 0;
  std::string step;
  bool operator==(const WorkflowPlace&) const = default;
};

// A task as it is stored.
struct Task {
  TaskId id = 0;
  std::uint32_t uid = 0;    // who submitted it
  std::string former_user;  // who that was, if the uid is another's by now: "alice (uid 1003)"
  std::optional<ArrayPlace> array;
  std::optional<WorkflowPlace> workflow;
  std::string schedule;  // that submitted it; "" = none, or it was removed since
  TaskSpec spec;
  std::string unreadable = {};  // why the stored spec cannot be read; "": it can
  State state = State::queued;
  std::optional<Reason> reason;  // set exactly when failed
  int attempt = 0;               // number of the latest attempt; 0 = none yet
  int tries = 0;                 // attempts spent of the present budget of max_attempts
  int lost = 0;                  // attempts lost in the present budget of max_lost
  WallTime created_at;
  std::optional<WallTime> due_at;      // not before this
  std::optional<WallTime> started_at;  // of the latest attempt
  std::optional<WallTime> ended_at;    // set exactly in the three ends
  std::optional<WallTime> cancel_requested_at;
  std::optional<Outcome> last_outcome;  // of the latest attempt, once it has ended
  std::optional<Progress> progress;     // what the latest attempt told; empty: nothing
  std::optional<WallTime> progress_at;  // when it last did
};

// Names one attempt, whoever asks: without the token nobody can write about it. The job knows the
// attempt's secret; the token is the digest of it (base/digest.h), so a copy of the database lets
// nobody pose as a job.
struct AttemptKey {
  TaskId task = 0;
  int attempt = 0;
  std::string token;
};

// What came of a task, as its latest attempt reported it.
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
  // Bytes of its output that are not kept, as they went over the cap or found no room.
  std::int64_t stdout_dropped_bytes = 0;
  std::int64_t stderr_dropped_bytes = 0;
};

// Everything known about an attempt that is over.
struct AttemptEnd {
  Outcome outcome;
  Usage usage;
  std::string stderr_tail;            // at most 4 KiB
  std::optional<std::string> result;  // JSON, from its result file
  std::string result_problem = {};   // why what it wrote there is no result; "" = it is, or nothing
  std::optional<WallTime> ended_at;  // empty: take the time of recording
  bool planned_stop = false;  // cancelled or lost: somebody outside told its supervisor to stop
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

// A umask as people write it: 1 to 4 octal digits, up to 0777. Comes back with four.
std::optional<std::uint32_t> parse_umask(std::string_view);
std::string format_umask(std::uint32_t umask);

// The command as one line a person could type: the quoted argv, or the shell text; or "handler
// NAME". Valid UTF-8, whatever bytes the command holds.
std::string command_line(const TaskSpec&);

}  // namespace taskd
