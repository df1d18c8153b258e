#include "ctl/view/outcome.h"

#include "ctl/base/failure.h"
#include "daemon/base/signals.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

// For a command that could not start; the API describes it in a sentence.
int exit_code_of_start(const std::string& error) {
  for (const char* const begin : {"Program ", "Interpreter "}) {
    if (!error.starts_with(begin)) continue;
    const bool missing = error.find(" does not exist") != std::string::npos ||
                         error.ends_with(" was not found in PATH");
    return missing ? 127 : 126;
  }
  return error.starts_with("Command ") ? 126 : kExitNoResult;
}

int exit_code_of(const Outcome& outcome) {
  switch (outcome.kind) {
    case OutcomeKind::exited:
      return outcome.code;
    case OutcomeKind::signaled:
      return 128 + outcome.code;
    case OutcomeKind::timed_out:
      return kExitTimedOut;
    case OutcomeKind::oom_killed:
      return 128 + 9;
    case OutcomeKind::spawn_failed:
      return exit_code_of_start(outcome.detail);
    case OutcomeKind::reported:
      return kExitSomeFailed;
    case OutcomeKind::lost:
    case OutcomeKind::cancelled:
    case OutcomeKind::not_started:
      break;
  }
  return kExitNoResult;
}

}  // namespace

int exit_code_of(const Task& task) {
  if (task.state == State::succeeded) return kExitOk;
  if (task.state != State::failed || !task.last_outcome) return kExitNoResult;
  if (task.reason == Reason::dependency || task.reason == Reason::expired) return kExitNoResult;
  const int code = exit_code_of(*task.last_outcome);
  // A failed task must never look like a success, whatever a newer daemon sends.
  return code > 0 && code < 256 ? code : kExitNoResult;
}

std::string describe_outcome(const Outcome& outcome) {
  switch (outcome.kind) {
    case OutcomeKind::exited:
      return "exit " + std::to_string(outcome.code);
    case OutcomeKind::signaled:
      return signal_name(outcome.code);
    case OutcomeKind::timed_out:
      return "timeout";
    case OutcomeKind::oom_killed:
      return "out of memory";
    case OutcomeKind::spawn_failed:
      return outcome.detail.empty() ? "not started" : escape_for_table(outcome.detail);
    case OutcomeKind::lost:
      return "lost";
    case OutcomeKind::cancelled:
      return "cancelled";
    case OutcomeKind::reported:
      return escape_for_table(outcome.detail);
    case OutcomeKind::not_started:
      return "not started";
  }
  return "";
}

std::string describe_progress(const Task& task) {
  if (!task.progress) return "";
  const auto& [percent, message] = *task.progress;
  std::string out = percent ? std::to_string(*percent) + "%" : "";
  if (message) out += (out.empty() ? "" : ", ") + escape_for_humans(*message);
  return out;
}

std::string describe_reason(const Task& task) {
  if (task.state == State::running)
    return task.cancel_requested_at ? "stopping" : describe_progress(task);
  if (task.state == State::succeeded) return "";
  if (task.state == State::cancelled) return task.attempt == 0 ? "never ran" : "";
  const std::string last = task.last_outcome ? describe_outcome(*task.last_outcome) : "";
  if (task.state != State::failed) return last;  // why it waits for another try
  const Reason reason = task.reason.value_or(Reason::exit);
  const bool says_itself = reason == Reason::exit || reason == Reason::signal ||
                           reason == Reason::spawn || reason == Reason::reported;
  return says_itself && !last.empty() ? last : std::string(to_string(reason));
}

Color color_of(State state) {
  switch (state) {
    case State::running:
      return Color::cyan;
    case State::succeeded:
      return Color::green;
    case State::failed:
      return Color::red;
    case State::cancelled:
      return Color::dim;
    case State::held:
    case State::blocked:
      return Color::yellow;
    case State::scheduled:
    case State::queued:
      break;
  }
  return Color::none;
}

std::string describe_command(const TaskSpec& spec) {
  std::string text = command_line(spec);
  return is_plain_text(text) ? text : escape_for_humans(text);
}

}  // namespace taskd::ctl
