// Converts JSON to and from values other than specs: API answers, which taskctl reads.
// daemon/api/API.md is the contract. Pure functions; shared by the daemon and taskctl.
#pragma once

#include <functional>
#include <iterator>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "daemon/limits/concurrency_key.h"
#include "daemon/limits/queue.h"
#include "daemon/task/delivery.h"
#include "daemon/task/schedule.h"
#include "daemon/task/spec_json.h"
#include "daemon/task/task.h"
#include "daemon/task/why.h"
#include "daemon/task/workflow.h"

namespace taskd {

class JsonWriter;

// A time in an API answer.
nlohmann::json time_or_null(const std::optional<WallTime>& time);

// --- tasks and attempts (task_write.cc, task_read.cc) --------------------------------------------
// The members of the object that is open. Values of env are masked, a token is never shown, broken
// UTF-8 that a job wrote is replaced.
void write_task(JsonWriter& writer, const Task& task);
void write_attempt(JsonWriter& writer, const Attempt& attempt);
std::string task_to_text(const Task& task);  // as an object
// The same in two objects: one without the spec's fields except name, queue and priority; and one
// with the others.
std::string task_state_to_text(const Task& task);
std::string spec_to_text(const TaskSpec& spec);

// Parses it, for clients. Ignores unknown fields, so an older taskctl can read a newer daemon.
// Throws std::runtime_error naming what is missing or has the wrong type. A spawn_failed outcome
// has only the text (as `detail`), not the errno.
Task task_from_json(const nlohmann::json& json);
Attempt attempt_from_json(const nlohmann::json& json);

// --- queues (queue.cc) ---------------------------------------------------------------------------
nlohmann::json counts_to_json(const std::int64_t (&counts)[std::size(kAllStates)]);
nlohmann::json queue_to_json(const QueueInfo& queue);
QueueInfo queue_from_json(const nlohmann::json& json);
// Reads the settings in the body of a PUT or PATCH, an object. Reports every wrong or unknown
// field. `defaults` is the merge patch as sent, not validated.
std::variant<QueuePatch, FieldErrors> queue_patch_from_json(const nlohmann::json& body,
                                                            const std::string& name);

// --- keys (key.cc) -------------------------------------------------------------------------------
nlohmann::json key_to_json(const KeyInfo& key);
KeyInfo key_from_json(const nlohmann::json& json);  // without its id
// Reads the limits in the body of a PATCH, an object. Reports every wrong field.
std::variant<KeyPatch, FieldErrors> key_patch_from_json(const nlohmann::json& body);

// --- schedules (schedule.cc) ---------------------------------------------------------------------
nlohmann::json schedule_to_json(const Schedule& schedule);
Schedule schedule_from_json(const nlohmann::json& json);
nlohmann::json slot_to_json(const Slot& slot);
Slot slot_from_json(const nlohmann::json& json);
// The body of a PUT, an object. Contains what could be read; does not check the cron line, the
// zone, or permission for the task's user.
struct ScheduleBody {
  ScheduleSettings settings;
  FieldErrors errors;
};
ScheduleBody schedule_body_from_json(const nlohmann::json& body, const std::string& name);

// --- hooks (hook.cc) -----------------------------------------------------------------------------
nlohmann::json delivery_to_json(const Delivery& delivery);
// Without `seq` and `task`.
Delivery delivery_from_json(const nlohmann::json& json);
// --- workflows (workflow.cc) ---------------------------------------------------------------------
// The body of a POST, an object. Every wrong field is reported, unknown ones too.
std::variant<NewWorkflow, FieldErrors> workflow_from_body(const nlohmann::json& body);
// Writes the members of the open object, without its tasks.
void write_workflow(JsonWriter& writer, const Workflow& workflow);
// Parses a workflow with its tasks. Throws std::runtime_error.
Workflow workflow_from_json(const nlohmann::json& json);

// --- why a task is not running (why.cc) ----------------------------------------------------------
nlohmann::json why_to_json(const Why& why);
// Throws std::runtime_error.
Why why_from_json(const nlohmann::json& json);
// How to format times and users.
struct WhyWords {
  std::function<std::string(WallTime)> time;
  std::function<std::string(std::uint32_t uid)> user;
};
// A sentence without its full stop.
std::string describe_why(const Why& why, const WhyWords& words);

// --- problems (problem.cc) -----------------------------------------------------------------------
// RFC 9457.
struct Problem {
  int status = 500;
  std::string code;
  std::string detail;
  FieldErrors errors;  // for a query parameter, the pointer is its name
};
nlohmann::json problem_to_json(const Problem& problem);
// Accepts any JSON: missing members keep their defaults, so a proxy's error works, too.
Problem problem_from_json(const nlohmann::json& json);

}  // namespace taskd
