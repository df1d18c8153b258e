#include "daemon/base/random.h"

#include <sys/random.h>

#include <array>

#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

template <std::size_t N>
std::array<char, N> random_bytes() {
  static_assert(N <= 256, "up to 256 bytes come whole");
  std::array<char, N> bytes;
  while (getrandom(bytes.data(), N, 0) < 0) {
    if (errno != EINTR) throw_errno("getrandom");
  }
  return bytes;
}

}  // namespace

std::string random_token() {
  const auto bytes = random_bytes<16>();
  return to_hex({bytes.data(), bytes.size()});
}

double random_unit() {
  std::uint64_t bits = 0;
  for (const char c : random_bytes<8>()) bits = bits << 8 | static_cast<unsigned char>(c);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;  // 53 bits: what a double holds exactly
}

}  // namespace taskd
