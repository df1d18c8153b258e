// What clients of all kinds may send, and what becomes of the daemon's memory.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "daemon/base/files.h"
#include "tests/support/daemon.h"

using namespace taskd;
using namespace taskd::test;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCountsMemory = false;  // its allocator keeps what is freed
#else
constexpr bool kCountsMemory = true;
#endif

long memory_mib(pid_t pid, const std::string& what) {
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status", 65536).value();
  return std::strtol(status.c_str() + status.find(what) + what.size(), nullptr, 10) / 1024;
}

UniqueFd connect_to(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// As far as it is taken.
void send_all(const UniqueFd& fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string head(std::size_t body_bytes) {
  return "POST /v1/tasks HTTP/1.1\r\nHost: t\r\nContent-Type: "
         "application/json\r\nContent-Length: " +
         std::to_string(body_bytes) + "\r\n\r\n";
}

std::string status_line(const UniqueFd& fd) {
  char buffer[13];
  const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer - 1, MSG_WAITALL);
  return {buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
}

}  // namespace

TEST_CASE("the memory of many large requests is bounded, and given back after them") {
  if (!kCountsMemory) return;
  const TestDaemon daemon;
  std::string body = R"({"x":[)";
  while (body.size() < (1 << 20) - 8) body += "{},";
  body += "{}]}";
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 48; ++i) {
    clients.push_back(connect_to(daemon.socket()));
    send_all(clients.back(), head(body.size()) + body);
  }
  // Or 408 or 503: on a slow machine some wait for their turn for too long.
  for (const UniqueFd& client : clients) CHECK(status_line(client).starts_with("HTTP/1.1 "));
  CHECK(memory_mib(daemon.pid(), "VmHWM:") < 640);
  clients.clear();
  CHECK(daemon.ctl({"list"}).exit_code == 0);
  CHECK(memory_mib(daemon.pid(), "VmRSS:") < 160);
}

TEST_CASE("the memory of many half-sent requests is bounded, and given back after them") {
  if (!kCountsMemory) return;
  const TestDaemon daemon;
  const std::string half = head(1 << 20) + std::string((1 << 20) - 1, ' ');
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 300; ++i) {
    clients.push_back(connect_to(daemon.socket()));
    send_all(clients.back(), half);
  }
  CHECK(daemon.ctl({"list"}).exit_code == 0);
  CHECK(memory_mib(daemon.pid(), "VmHWM:") < 200);
  CHECK(memory_mib(daemon.pid(), "VmRSS:") > 40);  // some do hold their share
  clients.clear();
  CHECK(daemon.ctl({"list"}).exit_code == 0);
  CHECK(memory_mib(daemon.pid(), "VmRSS:") < 120);
}

TEST_CASE("curl submits in chunks") {
  const TestDaemon daemon;
  if (::access("/usr/bin/curl", X_OK) != 0) {
    MESSAGE("skipped: there is no curl");
    return;
  }
  Child curl(
      {"/usr/bin/curl", "-sS", "--unix-socket", daemon.socket(), "-H", "Transfer-Encoding: chunked",
       "-H", "Content-Type: application/json", "-d", "@-", "http://taskd/v1/tasks"},
      {.input = R"({"argv":["true"],"labels":{"x":")" + std::string(100, 'x') + "\"}}"});
  const RunResult result = curl.wait();
  CHECK(result.exit_code == 0);
  CHECK(result.out.find("\"id\":1") != std::string::npos);
}
