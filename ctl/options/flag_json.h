// The text after a flag of a task's option as the JSON that the API takes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "daemon/task/task_option.h"

namespace taskd::ctl {

// `texts` has one of each occurrence. May read standard input. Throws UsageError: 64 for a text
// that the flag does not take, 65 for what JSON cannot carry. Whether the value is in range is not
// looked at here.
nlohmann::json json_of_flag(Context& context, const OptionFlag& flag,
                            const std::vector<std::string>& texts);

// The folder a task runs in: `option` made absolute, or this process's own. Throws UsageError (65).
std::string working_folder(const std::optional<std::string>& option);

// The range of --array. Throws UsageError (64).
ArrayRange array_range(const std::string& text);

}  // namespace taskd::ctl
