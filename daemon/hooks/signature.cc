#include "daemon/hooks/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

#include "daemon/base/text.h"

namespace taskd {

std::string hook_signature(std::string_view secret, std::string_view timestamp,
                           std::string_view body) {
  const std::string text = std::string(timestamp) + "." + std::string(body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int length = 0;
  if (::HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(),
             &length) == nullptr) {
    throw std::runtime_error("libcrypto cannot compute an HMAC");
  }
  return "sha256=" + to_hex({reinterpret_cast<const char*>(mac.data()), length});
}

}  // namespace taskd
