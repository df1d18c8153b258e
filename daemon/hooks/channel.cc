#include "daemon/hooks/channel.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace taskd {
namespace {

class PlainChannel final : public Channel {
 public:
  PlainChannel(UniqueFd socket, const HookDeadline& deadline)
      : socket_(std::move(socket)), deadline_(deadline) {}

  std::size_t read(char* to, std::size_t size) override {
    for (;;) {
      const ssize_t n = ::recv(socket_.get(), to, size, 0);
      if (n >= 0) return static_cast<std::size_t>(n);
      wait_or_fail(POLLIN, "waiting for its answer");
    }
  }
  std::size_t write(const char* from, std::size_t size) override {
    for (;;) {
      const ssize_t n = ::send(socket_.get(), from, size, MSG_NOSIGNAL);
      if (n >= 0) return static_cast<std::size_t>(n);
      wait_or_fail(POLLOUT, "sending");
    }
  }

 private:
  void wait_or_fail(short events, const char* doing) const {
    if (errno == EINTR) return;
    if (errno != EAGAIN)
      throw HookFailure(std::string("while ") + doing + ": " + std::strerror(errno));
    wait_or_throw(deadline_, socket_.get(), events, doing);
  }

  const UniqueFd socket_;
  const HookDeadline& deadline_;
};

std::string last_tls_error() {
  const unsigned long code = ::ERR_get_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  ::ERR_clear_error();
  return reason == nullptr ? "the connection was closed" : reason;
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

class TlsChannel final : public Channel {
 public:
  TlsChannel(UniqueFd socket, const std::string& host, SSL_CTX* context,
             const HookDeadline& deadline)
      : socket_(std::move(socket)), deadline_(deadline), tls_(::SSL_new(context), ::SSL_free) {
    SSL* const tls = tls_.get();
    bool fine = tls != nullptr && ::SSL_set_fd(tls, socket_.get()) == 1;
    if (is_address(host)) {
      fine = fine && ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(tls), host.c_str()) == 1;
    } else {
      ::SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      fine = fine && ::SSL_set1_host(tls, host.c_str()) == 1 &&
             ::SSL_set_tlsext_host_name(tls, host.c_str()) == 1;
    }
    if (!fine) throw HookFailure("TLS cannot be set up: " + last_tls_error());
    shake_hands(host);
  }

  std::size_t read(char* to, std::size_t size) override {
    for (;;) {
      ::ERR_clear_error();
      const int n = ::SSL_read(tls_.get(), to, clamp(size));
      if (n > 0) return static_cast<std::size_t>(n);
      const int error = ::SSL_get_error(tls_.get(), n);
      if (error == SSL_ERROR_ZERO_RETURN) return 0;
      wait_or_fail(error, "waiting for its answer");
    }
  }
  std::size_t write(const char* from, std::size_t size) override {
    for (;;) {
      ::ERR_clear_error();
      const int n = ::SSL_write(tls_.get(), from, clamp(size));
      if (n > 0) return static_cast<std::size_t>(n);
      wait_or_fail(::SSL_get_error(tls_.get(), n), "sending");
    }
  }

 private:
  static int clamp(std::size_t size) {
    return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
  }

  void shake_hands(const std::string& host) {
    for (;;) {
      ::ERR_clear_error();
      const int done = ::SSL_connect(tls_.get());
      if (done == 1) return;
      const long verdict = ::SSL_get_verify_result(tls_.get());
      if (verdict != X509_V_OK) {
        throw HookFailure("the certificate of " + host +
                          " is not trusted: " + ::X509_verify_cert_error_string(verdict));
      }
      wait_or_fail(::SSL_get_error(tls_.get(), done), "negotiating TLS");
    }
  }

  void wait_or_fail(int error, const char* doing) const {
    if (error == SSL_ERROR_WANT_READ) {
      wait_or_throw(deadline_, socket_.get(), POLLIN, doing);
    } else if (error == SSL_ERROR_WANT_WRITE) {
      wait_or_throw(deadline_, socket_.get(), POLLOUT, doing);
    } else {
      throw HookFailure(std::string("while ") + doing + ": " + last_tls_error());
    }
  }

  const UniqueFd socket_;
  const HookDeadline& deadline_;
  const std::unique_ptr<SSL, decltype(&::SSL_free)> tls_;
};

}  // namespace

TlsTrust::TlsTrust() : context_(::SSL_CTX_new(::TLS_client_method())) {
  auto* const context = static_cast<SSL_CTX*>(context_);
  if (context == nullptr || ::SSL_CTX_set_default_verify_paths(context) != 1 ||
      ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    ::SSL_CTX_free(context);
    throw std::runtime_error("TLS cannot be set up: " + last_tls_error());
  }
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
}

TlsTrust::~TlsTrust() {
  ::SSL_CTX_free(static_cast<SSL_CTX*>(context_));
}

std::unique_ptr<Channel> open_plain_channel(UniqueFd socket, const HookDeadline& deadline) {
  return std::make_unique<PlainChannel>(std::move(socket), deadline);
}

std::unique_ptr<Channel> open_tls_channel(UniqueFd socket, const std::string& host,
                                          const TlsTrust& trust, const HookDeadline& deadline) {
  return std::make_unique<TlsChannel>(std::move(socket), host,
                                      static_cast<SSL_CTX*>(trust.context()), deadline);
}

}  // namespace taskd
