#include "ctl/bulk/digest.h"

// The low-level functions: those of OpenSSL 3 would add a megabyte of unused ciphers to a static
// taskctl.
#define OPENSSL_API_COMPAT 10100
#include <openssl/sha.h>

#include "daemon/base/text.h"

namespace taskd::ctl {

struct Digest::State {
  SHA256_CTX context;
};

Digest::Digest() : state_(std::make_unique<State>()) {
  SHA256_Init(&state_->context);
}
Digest::~Digest() = default;

void Digest::add(std::string_view text) {
  const std::string size = std::to_string(text.size()) + ':';
  SHA256_Update(&state_->context, size.data(), size.size());
  SHA256_Update(&state_->context, text.data(), text.size());
}

std::string Digest::hex() const {
  SHA256_CTX copy = state_->context;
  char digest[SHA256_DIGEST_LENGTH];
  SHA256_Final(reinterpret_cast<unsigned char*>(digest), &copy);
  return to_hex({digest, sizeof digest});
}

}  // namespace taskd::ctl
