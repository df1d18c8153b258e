// Estimates when a waiting task will start, from how long earlier tasks took. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace taskd {

// The median. Returns nothing if there are too few durations.
std::optional<std::int64_t> typical_ms(std::vector<std::int64_t> durations_ms);

// The time until a task starts that has `ahead` tasks in front of it and needs `wide` places.
// `places` tasks run at once, the current ones for `elapsed_ms` so far, and each takes `each_ms`.
// Returns nothing if the task must wait for one that already overran `each_ms`, since its end
// cannot be predicted.
std::optional<std::int64_t> start_in_ms(std::int64_t ahead, int places,
                                        const std::vector<std::int64_t>& elapsed_ms,
                                        std::int64_t each_ms, int wide = 1);

}  // namespace taskd
