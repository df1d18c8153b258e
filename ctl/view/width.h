// The display width of text. Pure functions with their own tables: a static executable cannot rely
// on a locale for wcwidth().
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace taskd::ctl {

// `text` must be valid UTF-8 without control characters, as from escape_for_humans().
std::size_t display_width(std::string_view text);

// `text` cut to at most `columns`, ending with "…" if anything is missing.
std::string fit(std::string_view text, std::size_t columns);

}  // namespace taskd::ctl
