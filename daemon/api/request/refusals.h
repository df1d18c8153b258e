// Refusals shared by several routes: each throws the ProblemError.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/context.h"

namespace taskd {

// Throws if the store is a read-only copy of another.
void refuse_copy(const ApiContext& context);
[[noreturn]] void no_such_task(TaskId id);
// array_being_submitted. Not all of its tasks exist yet, so it cannot be named; `why` ends the
// sentence.
[[noreturn]] void being_submitted(TaskId array, const std::string& why = "");
[[noreturn]] void wrong_state(std::string_view verb, const WrongState& wrong);
// Adds when there will be room, if known.
[[noreturn]] void queue_full(const ApiContext& context, const QueueFull& full);
[[noreturn]] void unknown_queue(const std::string& queue, const std::vector<std::string>& pointers);
[[noreturn]] void unknown_handler(const std::string& name, const std::string& pointer);
[[noreturn]] void invalid_request(const std::string& pointer, const std::string& detail);
// 422; its detail is the first error's.
[[noreturn]] void invalid_fields(const std::string& code, FieldErrors errors);

}  // namespace taskd
