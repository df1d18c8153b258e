// What --payload brings along for a handler.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace taskd::ctl {

// The JSON that `option` is, names ("@FILE"), or says to read from this process's stdin ("-").
// Throws UsageError (65): no JSON, too large, not to be read.
nlohmann::json read_payload(const std::string& option);

}  // namespace taskd::ctl
