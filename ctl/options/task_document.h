// A task as text for editing: JSON with "//" comments. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace taskd::ctl {

// The editable fields of a task from the API's answer: the fields of a submit. A waiting task's
// start is in run_at.
nlohmann::json editable_part(const nlohmann::json& task);

// `title` becomes the first comment.
std::string write_document(const nlohmann::json& editable, std::string_view title);

// Parses the text, ignoring comments. Throws Failure (65) naming the line of the error.
nlohmann::json read_document(std::string_view text);

// The merge patch that turns `before` into `after`. Compares objects recursively.
nlohmann::json patch_between(const nlohmann::json& before, const nlohmann::json& after);

}  // namespace taskd::ctl
