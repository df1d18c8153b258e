// Limits on a submit, from the threat model.
#pragma once

#include <cstddef>
#include <cstdint>

namespace taskd {

inline constexpr std::size_t kMaxNameBytes = 200;
inline constexpr std::size_t kMaxQueueBytes = 64;
inline constexpr std::size_t kMaxArgs = 1000;
inline constexpr std::size_t kMaxArgBytes = 131'071;  // MAX_ARG_STRLEN minus the NUL
inline constexpr std::size_t kMaxEnv = 1000;
inline constexpr std::size_t kMaxEnvBytes = 131'072;  // all names and values together
inline constexpr std::size_t kMaxLabels = 64;
inline constexpr std::size_t kMaxCwdBytes = 4096;  // also for other paths
inline constexpr std::size_t kMaxStdinBytes = 512 << 10;
inline constexpr std::size_t kMaxPayloadBytes = 512 << 10;  // as compact JSON
inline constexpr std::int64_t kMaxGraceMs = 24LL * 3600 * 1000;
inline constexpr std::size_t kMaxRetryMatches = 260;  // every exit code and every reason, each once
inline constexpr int kMaxAttempts = 1000;
inline constexpr int kMaxLost = 100;
inline constexpr std::size_t kMaxKeyNameBytes = 200;
inline constexpr int kMaxSlots = 1024;
inline constexpr int kMaxKeyLimit = kMaxSlots;
inline constexpr std::size_t kMaxResources = 32;
inline constexpr std::size_t kMaxDependencies = 10'000;

}  // namespace taskd
