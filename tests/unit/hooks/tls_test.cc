// Webhooks over TLS against a server of our own, with certificates made here.
#include <doctest/doctest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "daemon/base/event_fd.h"
#include "daemon/base/unique_fd.h"
#include "daemon/hooks/webhook.h"

using namespace taskd;

namespace {

template <class T, void (*free)(T*)>
using Owned = std::unique_ptr<T, decltype([](T* p) { free(p); })>;
using Key = Owned<EVP_PKEY, ::EVP_PKEY_free>;
using Certificate = Owned<X509, ::X509_free>;

// A certificate that signs itself, good for `names` ("DNS:localhost").
Certificate certify(EVP_PKEY* key, const char* names, long valid_s) {
  Certificate cert(::X509_new());
  ::X509_set_version(cert.get(), 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(cert.get()), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(cert.get()), -3600);
  ::X509_gmtime_adj(::X509_getm_notAfter(cert.get()), valid_s);
  ::X509_set_pubkey(cert.get(), key);
  X509_NAME* name = ::X509_get_subject_name(cert.get());
  ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("taskd test"), -1, -1, 0);
  ::X509_set_issuer_name(cert.get(), name);
  for (const auto& [nid, value] : {std::pair{NID_subject_alt_name, names},
                                   std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
    X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    REQUIRE(extension != nullptr);
    ::X509_add_ext(cert.get(), extension, -1);
    ::X509_EXTENSION_free(extension);
  }
  REQUIRE(::X509_sign(cert.get(), key, ::EVP_sha256()) > 0);
  return cert;
}

// Answers 200 to whatever is posted through a handshake that works.
class TlsServer {
 public:
  explicit TlsServer(const char* names, long valid_s = 3600)
      : key_(::EVP_EC_gen("P-256")), cert_(certify(key_.get(), names, valid_s)) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    REQUIRE(::listen(listener_.get(), 10) == 0);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve_once(); });
  }
  // Whether somebody came or not.
  ~TlsServer() {
    stop_.raise();
    thread_.join();
  }

  // Makes OpenSSL trust this server's certificate, and only it.
  void be_trusted() const {
    const std::string path = file();
    std::FILE* out = std::fopen(path.c_str(), "w");
    REQUIRE(out != nullptr);
    ::PEM_write_X509(out, cert_.get());
    std::fclose(out);
    ::setenv("SSL_CERT_FILE", path.c_str(), 1);
  }
  static std::string file() {
    return (std::filesystem::temp_directory_path() / ("taskd-tls-" + std::to_string(::getpid())))
        .string();
  }

  int port = 0;

 private:
  void serve_once() {
    pollfd fds[] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 1 || fds[0].revents == 0) return;
    const UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    Owned<SSL_CTX, ::SSL_CTX_free> context(::SSL_CTX_new(::TLS_server_method()));
    ::SSL_CTX_use_certificate(context.get(), cert_.get());
    ::SSL_CTX_use_PrivateKey(context.get(), key_.get());
    Owned<SSL, ::SSL_free> tls(::SSL_new(context.get()));
    ::SSL_set_fd(tls.get(), fd.get());
    if (::SSL_accept(tls.get()) != 1) return;
    std::string input;
    while (input.find("\"task\":{\"id\":7}}\n") == input.npos) {
      char buffer[4096];
      const int n = ::SSL_read(tls.get(), buffer, sizeof buffer);
      if (n <= 0) return;
      input.append(buffer, static_cast<std::size_t>(n));
    }
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    ::SSL_write(tls.get(), answer.data(), static_cast<int>(answer.size()));
  }

  const Key key_;
  const Certificate cert_;
  UniqueFd listener_;
  EventFd stop_;
  std::thread thread_;
};

// Else every test of a name would fail for a reason that it does not say.
void need_localhost() {
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo("localhost", nullptr, nullptr, &list);
  if (list != nullptr) ::freeaddrinfo(list);
  REQUIRE_MESSAGE(error == 0, "this machine cannot resolve localhost: ", ::gai_strerror(error));
}

SendResult post(const std::string& host, const TlsServer& server) {
  ::signal(SIGPIPE, SIG_IGN);  // as the daemon does
  Hook hook;
  hook.name = "chat";
  hook.url = "https://" + host + ":" + std::to_string(server.port) + "/";
  hook.timeout_ms = 60'000;
  return Webhook(hook).post({"d1", "chat", "failed", {0}, R"({"id":7})"}, {0}, -1);
}

struct TrustFixture {
  ~TrustFixture() {
    ::unsetenv("SSL_CERT_FILE");
    std::filesystem::remove(TlsServer::file());
  }
};

}  // namespace

TEST_CASE("a server whose certificate is trusted and names it is told") {
  need_localhost();
  const TrustFixture cleanup;
  {
    const TlsServer server("DNS:localhost");
    server.be_trusted();
    const SendResult result = post("localhost", server);
    CHECK_MESSAGE(result.outcome == SendOutcome::delivered, result.error);
  }
  const TlsServer server("IP:127.0.0.1");
  server.be_trusted();
  const SendResult result = post("127.0.0.1", server);
  CHECK_MESSAGE(result.outcome == SendOutcome::delivered, result.error);
}

TEST_CASE("a certificate that nobody trusts, of another name or out of date is refused") {
  need_localhost();
  const TrustFixture cleanup;
  const auto refused = [](const TlsServer& server, const std::string& host) {
    const SendResult result = post(host, server);
    CHECK(result.outcome == SendOutcome::down);
    CHECK_MESSAGE(result.error.starts_with("the certificate of " + host + " is not trusted: "),
                  result.error);
  };
  {
    const TlsServer unknown("DNS:localhost");
    refused(unknown, "localhost");
  }
  {
    const TlsServer other("DNS:other.example");
    other.be_trusted();
    refused(other, "localhost");
  }
  {
    const TlsServer other("DNS:localhost");
    other.be_trusted();
    refused(other, "127.0.0.1");
  }
  const TlsServer old("DNS:localhost", -60);
  old.be_trusted();
  refused(old, "localhost");
}
