#include "ctl/view/lines.h"

#include <algorithm>
#include <string>

namespace taskd::ctl {

void Lines::add(std::string_view label, std::string_view text) {
  constexpr std::size_t kLabelColumn = 14;
  std::string left = "  " + std::string(label);
  left.resize(std::max(kLabelColumn, left.size() + 1), ' ');
  out_.line(paint_(Color::dim, left) + std::string(text));
}

}  // namespace taskd::ctl
