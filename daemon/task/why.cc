#include "daemon/task/why.h"

namespace taskd {
namespace {

constexpr std::string_view kWaitKinds[] = {"runs",         "ended",        "held",       "delay",
                                           "retry",        "dependencies", "key_busy",   "key_rate",
                                           "queue_paused", "queue_busy",   "queue_rate", "slots",
                                           "resource",     "never_fits",   "kept",       "turn"};
static_assert(std::size(kWaitKinds) == static_cast<std::size_t>(WaitKind::turn) + 1);

}  // namespace

std::string_view to_string(WaitKind kind) {
  return kWaitKinds[static_cast<std::size_t>(kind)];
}

std::optional<WaitKind> parse_wait_kind(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kWaitKinds); ++i) {
    if (kWaitKinds[i] == text) return static_cast<WaitKind>(i);
  }
  return std::nullopt;
}

}  // namespace taskd
