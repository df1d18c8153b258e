#include "ctl/base/count_text.h"

#include <iterator>
#include <string>
#include <string_view>

namespace taskd::ctl {

std::string format_bytes(std::int64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::string_view kUnits[] = {" KiB", " MiB", " GiB", " TiB"};
  std::int64_t tenths = bytes * 10 / 1024;
  std::size_t unit = 0;
  for (; tenths >= 10'240 && unit + 1 < std::size(kUnits); ++unit) tenths /= 1024;
  std::string out = std::to_string(tenths / 10);
  if (tenths < 100) out += "." + std::to_string(tenths % 10);
  return out.append(kUnits[unit]);
}

}  // namespace taskd::ctl
