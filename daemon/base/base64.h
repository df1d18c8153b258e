// Base64 as in RFC 4648, section 4: with padding, without line breaks. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace taskd {

std::string to_base64(std::string_view bytes);
// Returns nothing for text that to_base64() would not write.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace taskd
