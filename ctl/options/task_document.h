// A task as a text that a person can edit: JSON with a word here and there after "//".
// Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace taskd::ctl {

// What can be edited of a task, from the API's answer: the fields of a submit. A waiting task's
// start stands in run_at.
nlohmann::json editable_part(const nlohmann::json& task);

// `title` becomes the first comment.
std::string write_document(const nlohmann::json& editable, std::string_view title);

// Reads the text, comments left out. Throws Failure (65) naming the line of what is wrong.
nlohmann::json read_document(std::string_view text);

// The merge patch that makes `after` of `before`. Objects are compared inside.
nlohmann::json patch_between(const nlohmann::json& before, const nlohmann::json& after);

}  // namespace taskd::ctl
