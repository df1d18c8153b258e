#include "daemon/base/digest.h"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

#include "daemon/base/text.h"

namespace taskd {

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("libcrypto cannot compute SHA-256");
  }
  return to_hex({reinterpret_cast<const char*>(digest.data()), length});
}

std::string token_of(std::string_view secret) {
  return sha256_hex(secret).substr(0, 32);
}

}  // namespace taskd
