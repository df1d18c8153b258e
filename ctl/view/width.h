// How many terminal columns text takes. Pure functions with tables of their own: a static
// executable cannot count on a locale for wcwidth().
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace taskd::ctl {

// `text` is valid UTF-8 without control characters, as escape_for_humans() makes it.
std::size_t display_width(std::string_view text);

// `text`, cut to at most `columns` with "…" at the end where something is missing.
std::string fit(std::string_view text, std::size_t columns);

}  // namespace taskd::ctl
