// Reads the --payload for a handler.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace taskd::ctl {

// The JSON in `option`, in the file that it names ("@FILE"), or on stdin ("-"). Throws UsageError
// (65) if it is not JSON, too large or unreadable.
nlohmann::json read_payload(const std::string& option);

}  // namespace taskd::ctl
