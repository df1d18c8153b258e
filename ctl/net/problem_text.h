// The daemon's refusals in the words of the command line. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/wire.h"

namespace taskd::ctl {

// The option a field of a request came from: "#/timeout_ms" -> "--timeout", "#/env/A%20B" ->
// "--env A B". A field without an option stays as it is.
std::string flag_of_pointer(std::string_view pointer);

// The same as a path in a document: "#/tasks/a%20b/env" -> "tasks.a b.env"; "" for the whole of it.
std::string path_of_pointer(std::string_view pointer);

// What was refused, each wrong field on a line of its own, safe to show.
// What is wrong with a field, as the option that sets it.
std::string describe_field_error(const FieldError& error);
std::string describe_problem(const Problem& problem, std::optional<std::string_view> retry_after_s);

}  // namespace taskd::ctl
