// Signals by name. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace taskd {

// Accepts "USR1", "SIGUSR1" (upper case), "10" or the number of a realtime signal. Returns nothing
// for other text, and for the two signals that the C library reserves.
std::optional<int> parse_signal(std::string_view text);

// "SIGTERM", or "signal 99".
std::string signal_name(int signal);

}  // namespace taskd
