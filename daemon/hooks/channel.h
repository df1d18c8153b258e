// Bytes to and from a webhook's server, plain or through TLS. The deadline bounds each wait.
//
// Used by one thread. Every function throws HookFailure and HookInterrupted.
#pragma once

#include <cstddef>
#include <memory>

#include "daemon/hooks/dial.h"

namespace taskd {

class Channel {
 public:
  virtual ~Channel() = default;
  virtual std::size_t read(char* to, std::size_t size) = 0;  // returns 0 at the end
  virtual std::size_t write(const char* from, std::size_t size) = 0;
};

// The certificate authorities that TLS trusts: the system's (or those of SSL_CERT_FILE and
// SSL_CERT_DIR, as in OpenSSL). Thread-safe. Create it once, since loading takes time.
class TlsTrust {
 public:
  TlsTrust();  // throws std::runtime_error
  ~TlsTrust();
  TlsTrust(const TlsTrust&) = delete;
  void* context() const { return context_; }

 private:
  void* context_;
};

// `deadline` must outlive the channel.
std::unique_ptr<Channel> open_plain_channel(UniqueFd socket, const HookDeadline& deadline);
// Does a handshake in which the server proves that it is `host`, a name or an address.
std::unique_ptr<Channel> open_tls_channel(UniqueFd socket, const std::string& host,
                                          const TlsTrust& trust, const HookDeadline& deadline);

}  // namespace taskd
