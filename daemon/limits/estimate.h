// When one of a line of tasks will start, going by how long such tasks took. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace taskd {

// The middle one; nothing of too few to say anything.
std::optional<std::int64_t> typical_ms(std::vector<std::int64_t> durations_ms);

// In how long a task starts that has `ahead` tasks in front of it and takes `wide` places itself,
// where `places` run at once, and those that run now have run for `elapsed_ms`; each takes
// `each_ms`. Nothing where it has to wait for one that has run for longer than that already: who
// knows when such a one ends.
std::optional<std::int64_t> start_in_ms(std::int64_t ahead, int places,
                                        const std::vector<std::int64_t>& elapsed_ms,
                                        std::int64_t each_ms, int wide = 1);

}  // namespace taskd
