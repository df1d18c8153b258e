#include "daemon/base/signals.h"

#include <csignal>
#include <cstring>

#include "daemon/base/text.h"

namespace taskd {
namespace {

constexpr int kMaxSignal = 64;

bool is_usable(std::int64_t signal) {
  return (signal >= 1 && signal <= SIGSYS) || (signal >= SIGRTMIN && signal <= kMaxSignal);
}

}  // namespace

std::optional<int> parse_signal(std::string_view text) {
  if (const auto number = parse_int(text)) {
    return is_usable(*number) ? std::optional(static_cast<int>(*number)) : std::nullopt;
  }
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (int signal = 1; signal <= SIGSYS; ++signal) {
    const char* const name = ::sigabbrev_np(signal);
    if (name != nullptr && text == name) return signal;
  }
  return std::nullopt;
}

std::string signal_name(int signal) {
  const char* const name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

}  // namespace taskd
