// Bytes to and from a webhook's server, plain or through TLS, each wait bounded by the deadline.
//
// One thread. Every function throws HookFailure and HookInterrupted.
#pragma once

#include <cstddef>
#include <memory>

#include "daemon/hooks/dial.h"

namespace taskd {

class Channel {
 public:
  virtual ~Channel() = default;
  virtual std::size_t read(char* to, std::size_t size) = 0;  // 0 at the end
  virtual std::size_t write(const char* from, std::size_t size) = 0;
};

// Whom TLS trusts: the system's authorities (or those of SSL_CERT_FILE and SSL_CERT_DIR, as OpenSSL
// has them). Thread-safe. Made once, since reading them takes time.
class TlsTrust {
 public:
  TlsTrust();  // throws std::runtime_error
  ~TlsTrust();
  TlsTrust(const TlsTrust&) = delete;
  void* context() const { return context_; }

 private:
  void* context_;
};

// `deadline` outlives the channel.
std::unique_ptr<Channel> open_plain_channel(UniqueFd socket, const HookDeadline& deadline);
// After a handshake in which the server proved that it is `host`, a name or an address.
std::unique_ptr<Channel> open_tls_channel(UniqueFd socket, const std::string& host,
                                          const TlsTrust& trust, const HookDeadline& deadline);

}  // namespace taskd
