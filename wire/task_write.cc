// Writes tasks and attempts for API answers.

#include <nlohmann/json.hpp>
#include <system_error>

#include "daemon/base/json_writer.h"
#include "daemon/base/text.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

void write_text_or_null(JsonWriter& writer, std::string_view name, std::string_view text) {
  writer.key(name);
  text.empty() ? writer.null() : writer.value(text);
}

// The text may contain broken UTF-8.
void write_foreign_text(JsonWriter& writer, std::string_view name, const std::string& text) {
  writer.key(name);
  if (is_valid_utf8(text)) return writer.value(text);
  writer.raw(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
}

void write_time(JsonWriter& writer, std::string_view name, const std::optional<WallTime>& time) {
  writer.key(name);
  time ? writer.value(format_rfc3339(*time)) : writer.null();
}

std::string error_of(const Outcome& outcome) {
  if (outcome.kind != OutcomeKind::spawn_failed || outcome.code == 0) return outcome.detail;
  // A sentence is complete; the name of a step needs the error, too.
  if (outcome.detail.find(' ') != std::string::npos) return outcome.detail;
  const std::string cause = std::generic_category().message(outcome.code);
  return outcome.detail.empty() ? cause : outcome.detail + ": " + cause;
}

// The code, if the outcome is of this kind.
std::optional<int> code_of(const std::optional<Outcome>& outcome, OutcomeKind kind) {
  return outcome && outcome->kind == kind ? std::optional(outcome->code) : std::nullopt;
}

void write_outcome(JsonWriter& writer, const std::optional<Outcome>& outcome) {
  write_text_or_null(writer, "outcome", outcome ? to_string(outcome->kind) : "");
  writer.member("exit_code", code_of(outcome, OutcomeKind::exited));
  writer.member("signal", code_of(outcome, OutcomeKind::signaled));
  const std::string error = outcome ? error_of(*outcome) : "";
  error.empty() ? write_text_or_null(writer, "error", "")
                : write_foreign_text(writer, "error", error);
}

void write_workflow_place(JsonWriter& writer, const std::optional<WorkflowPlace>& place) {
  writer.key("workflow");
  if (!place) return writer.null();
  writer.begin('{');
  writer.member("id", place->id);
  writer.member("step", place->step);
  writer.end('}');
}

void write_array_place(JsonWriter& writer, const std::optional<ArrayPlace>& place) {
  writer.key("array");
  if (!place) return writer.null();
  writer.begin('{');
  writer.member("id", place->array);
  writer.member("index", place->index);
  writer.end('}');
}

void write_progress(JsonWriter& writer, const Task& task) {
  writer.key("progress");
  if (!task.progress) return writer.null();
  writer.begin('{');
  writer.member("percent", task.progress->percent);
  write_foreign_text(writer, "message", task.progress->message.value_or(""));
  write_time(writer, "at", task.progress_at);
  writer.end('}');
}

void write_state(JsonWriter& writer, const Task& task) {
  writer.member("id", task.id);
  writer.member("uid", task.uid);
  if (!task.former_user.empty()) writer.member("former_user", task.former_user);
  writer.member("name", task.spec.name);
  writer.member("queue", task.spec.queue);
  writer.member("priority", task.spec.priority);
  write_workflow_place(writer, task.workflow);
  write_array_place(writer, task.array);
  write_text_or_null(writer, "schedule", task.schedule);
  writer.member("state", to_string(task.state));
  write_text_or_null(writer, "reason", task.reason ? to_string(*task.reason) : "");
  writer.member("attempt", task.attempt);
  writer.member("tries", task.tries);
  writer.member("lost", task.lost);
  write_time(writer, "created_at", task.created_at);
  write_time(writer, "due_at", task.due_at);
  write_time(writer, "started_at", task.started_at);
  write_time(writer, "ended_at", task.ended_at);
  write_time(writer, "cancel_requested_at", task.cancel_requested_at);
  write_outcome(writer, task.last_outcome);
  write_progress(writer, task);
}

template <class Value>
std::string object_of(void (*write)(JsonWriter&, const Value&), const Value& value) {
  constexpr std::size_t kUsualBytes = 1024;
  JsonWriter writer(kUsualBytes);
  writer.begin('{');
  write(writer, value);
  writer.end('}');
  return writer.take();
}

}  // namespace

json time_or_null(const std::optional<WallTime>& time) {
  return time ? json(format_rfc3339(*time)) : json(nullptr);
}

void write_task(JsonWriter& writer, const Task& task) {
  write_state(writer, task);
  write_answered_spec(writer, task.spec);
}

std::string task_to_text(const Task& task) {
  return object_of(write_task, task);
}

std::string task_state_to_text(const Task& task) {
  return object_of(write_state, task);
}

std::string spec_to_text(const TaskSpec& spec) {
  return object_of(write_answered_spec, spec);
}

void write_attempt(JsonWriter& writer, const Attempt& attempt) {
  writer.member("number", attempt.number);
  write_time(writer, "started_at", attempt.started_at);
  writer.member("granted", attempt.granted);
  write_time(writer, "ended_at", attempt.ended_at);
  write_outcome(writer, attempt.outcome);
  writer.member("user_cpu_ms", attempt.usage.user_cpu_ms);
  writer.member("system_cpu_ms", attempt.usage.system_cpu_ms);
  writer.member("max_rss_bytes", attempt.usage.max_rss_bytes);
  write_foreign_text(writer, "stderr_tail", attempt.stderr_tail);
  writer.member("stdout_dropped_bytes", attempt.stdout_dropped_bytes);
  writer.member("stderr_dropped_bytes", attempt.stderr_dropped_bytes);
}

}  // namespace taskd
