// Converts the text of a task option's flag to the API's JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "daemon/task/task_option.h"

namespace taskd::ctl {

// `texts` has one entry per occurrence. May read standard input. Throws UsageError: 64 for text
// that the flag does not accept, 65 for text that JSON cannot represent. Does not check ranges.
nlohmann::json json_of_flag(Context& context, const OptionFlag& flag,
                            const std::vector<std::string>& texts);

// The task's working folder: `option` made absolute, or this process's own. Throws UsageError (65).
std::string working_folder(const std::optional<std::string>& option);

// The range of --array. Throws UsageError (64).
ArrayRange array_range(const std::string& text);

}  // namespace taskd::ctl
