#include <nlohmann/json.hpp>

#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

struct Title {
  std::string_view code;
  std::string_view text;
};
constexpr Title kTitles[] = {
    {"bad_request", "The request cannot be read"},
    {"bad_json", "The body is not strict JSON"},
    {"bad_id", "The id is not a positive integer"},
    {"bad_query", "The query cannot be read"},
    {"bad_cursor", "The cursor is not from this list"},
    {"bad_idempotency_key", "The Idempotency-Key is not 1 to 255 printable ASCII bytes"},
    {"not_allowed", "This needs another user"},
    {"no_such_task", "There is no such task"},
    {"no_such_attempt", "The task has no such attempt"},
    {"no_such_queue", "There is no queue of this name"},
    {"no_such_schedule", "There is no schedule of this name"},
    {"no_such_workflow", "There is no such workflow"},
    {"no_result", "The task has no result"},
    {"no_such_hook", "There is no hook of this name"},
    {"no_such_path", "There is nothing at this path"},
    {"method_not_allowed", "The path does not accept this method"},
    {"request_timeout", "The request took too long to arrive"},
    {"body_too_large", "The body is too large"},
    {"uri_too_long", "The request line is too long"},
    {"unsupported_media_type", "The body must be application/json"},
    {"expectation_failed", "The expectation cannot be met"},
    {"headers_too_large", "The headers are too many or too large"},
    {"not_implemented", "The server does not support this part of HTTP"},
    {"version_not_supported", "The server speaks HTTP/1.1"},
    {"wrong_state", "The task's state does not allow this"},
    {"stale_attempt", "The attempt is no longer current"},
    {"request_in_progress", "The same request is in progress"},
    {"edited_meanwhile", "Somebody else has changed the task"},
    {"queue_in_use", "The queue is in use"},
    {"no_such_key", "No such key"},
    {"ambiguous_key", "Several users have a key of this name"},
    {"unknown_zone", "The time zone is not known on this machine"},
    {"invalid_task", "The task cannot be accepted"},
    {"invalid_workflow", "The workflow cannot be accepted"},
    {"invalid_request", "The request cannot be accepted"},
    {"unknown_queue", "There is no such queue"},
    {"unknown_user", "There is no such user"},
    {"unknown_key", "There is no such key"},
    {"unknown_workflow", "The filter names an unknown workflow"},
    {"unknown_array", "The filter names an unknown array"},
    {"unknown_handler", "There is no such handler"},
    {"handlers_only", "This daemon accepts only handlers, no commands"},
    {"unknown_task", "The task to copy does not exist"},
    {"unknown_dependency", "The dependency does not exist"},
    {"does_not_fit", "The machine does not have that much"},
    {"idempotency_key_reused", "The Idempotency-Key belongs to another request"},
    {"internal_error", "Internal error in the daemon"},
    {"names_an_array", "The name means a whole array"},
    {"array_being_submitted", "Not all of the array's tasks exist yet"},
    {"queue_full", "The queue is full"},
    {"queue_draining", "The queue takes no new tasks"},
    {"shutting_down", "The daemon is stopping"},
    {"too_many_requests", "The daemon is answering too many requests"},
    {"disk_full", "The disk is full"},
    {"uid_without_user", "Your uid has no user"},
    {"no_user_database", "The user database cannot be read"},
    {"store_busy", "The database is temporarily unavailable"},
    {"store_is_copy", "The store is a copy of another"},
};

std::string_view title_of(std::string_view code) {
  for (const Title& title : kTitles) {
    if (title.code == code) return title.text;
  }
  return code;
}

// Null if it is missing.
const json* member_of(const json& value, std::string_view key) {
  const auto member = value.is_object() ? value.find(key) : value.end();
  return member == value.end() ? nullptr : &*member;
}

}  // namespace

json problem_to_json(const Problem& problem) {
  json out = {{"type", "https://taskd.invalid/problems/" + problem.code},
              {"title", title_of(problem.code)},
              {"status", problem.status},
              {"code", problem.code},
              {"detail", problem.detail}};
  for (const FieldError& error : problem.errors) {
    const bool in_body = error.pointer.empty() || error.pointer.front() == '#';
    out["errors"].push_back(
        {{in_body ? "pointer" : "parameter", error.pointer}, {"detail", error.detail}});
  }
  return out;
}

Problem problem_from_json(const json& object) {
  Problem problem;
  const auto read_text = [](const json& from, std::string_view key, std::string& out) {
    const json* value = member_of(from, key);
    if (value != nullptr && value->is_string()) out = value->get<std::string>();
  };
  const json* status = member_of(object, "status");
  if (status != nullptr && status->is_number_integer()) {
    const auto number = status->get<std::int64_t>();
    if (number >= 100 && number <= 599) problem.status = static_cast<int>(number);
  }
  read_text(object, "code", problem.code);
  read_text(object, "detail", problem.detail);
  const json* errors = member_of(object, "errors");
  if (errors == nullptr || !errors->is_array()) return problem;
  for (const json& item : *errors) {
    FieldError& error = problem.errors.emplace_back();
    read_text(item, "parameter", error.pointer);
    read_text(item, "pointer", error.pointer);
    read_text(item, "detail", error.detail);
  }
  return problem;
}

}  // namespace taskd
