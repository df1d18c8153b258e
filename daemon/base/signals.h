// Signals by name. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace taskd {

// "USR1", "SIGUSR1" (in capitals), "10" or a realtime signal's number. Nothing for what is no
// signal and for the two that the C library keeps to itself.
std::optional<int> parse_signal(std::string_view text);

// "SIGTERM", or "signal 99".
std::string signal_name(int signal);

}  // namespace taskd
