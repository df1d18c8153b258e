#include "daemon/api/http/listen.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>

#include <cstring>

#include "daemon/base/errors.h"

namespace taskd {
namespace {

// A non-blocking connect to a full backlog fails, and each waiting client costs the kernel little.
constexpr int kBacklog = 4096;

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw UsageError(EX_CANTCREAT, "cannot listen on " + path + ": " + why);
}

sockaddr_un address_of(const std::string& path) {
  check_socket_path(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd new_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw_errno("socket");
  return fd;
}

bool bind_to(const UniqueFd& fd, const sockaddr_un& address) {
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// A killed daemon leaves a socket file on which nobody listens.
void remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) refuse(path, std::strerror(errno));
  if (!S_ISSOCK(status.st_mode)) refuse(path, "something that is not a socket is in the way");
  const UniqueFd probe = new_socket();
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN) {
    refuse(path, "another program listens there");
  }
  if (errno != ECONNREFUSED) refuse(path, std::strerror(errno));
  if (::unlink(path.c_str()) != 0) refuse(path, std::strerror(errno));
}

}  // namespace

void check_socket_path(const std::string& path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    throw UsageError(EX_CONFIG, "the socket's path must have 1 to 107 bytes: " + path);
  }
}

UniqueFd listen_unix(const std::string& path, unsigned mode) {
  const sockaddr_un address = address_of(path);
  UniqueFd fd = new_socket();
  // The new file has the socket's mode minus the umask, so it is never more open than requested …
  if (::fchmod(fd.get(), mode) != 0) throw_errno("fchmod on a socket");
  if (!bind_to(fd, address)) {
    if (errno != EADDRINUSE) refuse(path, std::strerror(errno));
    remove_stale(path, address);
    if (!bind_to(fd, address)) refuse(path, std::strerror(errno));
  }
  // … and then exactly as requested.
  if (::chmod(path.c_str(), mode) != 0) throw_errno("chmod " + path);
  if (::listen(fd.get(), kBacklog) != 0) throw_errno("listen on " + path);
  return fd;
}

}  // namespace taskd
