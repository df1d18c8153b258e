#include "daemon/api/problem.h"

#include "daemon/base/text.h"

namespace taskd {

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMaxBytes = 100;
  std::string safe = escape_for_humans(text.substr(0, kMaxBytes));
  if (text.size() > kMaxBytes) safe += "…";
  return '"' + safe + '"';
}

}  // namespace taskd
