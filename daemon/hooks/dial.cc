#include "daemon/hooks/dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <memory>
#include <thread>

#include "daemon/base/errors.h"
#include "daemon/base/event_fd.h"
#include "daemon/base/mutex.h"

namespace taskd {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

// Shared by the caller and the thread that looks up the name.
struct Lookup {
  std::string host;
  std::string port;
  EventFd done;
  Mutex mutex;
  int error TASKD_GUARDED_BY(mutex) = 0;
  Addresses found TASKD_GUARDED_BY(mutex){nullptr, ::freeaddrinfo};
};

int get_addresses(const std::string& host, const std::string& port, int flags, Addresses& found) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  if (error == 0) found.reset(list);
  return error;
}

Addresses look_up(const HookUrl& url, const HookDeadline& deadline) {
  Addresses found(nullptr, ::freeaddrinfo);
  if (get_addresses(url.host, url.port, AI_NUMERICHOST, found) == 0) return found;
  const auto lookup = std::make_shared<Lookup>();
  lookup->host = url.host;
  lookup->port = url.port;
  std::thread([lookup] {
    Addresses list(nullptr, ::freeaddrinfo);
    const int error = get_addresses(lookup->host, lookup->port, AI_ADDRCONFIG, list);
    {
      const MutexLock lock(lookup->mutex);
      lookup->error = error;
      lookup->found = std::move(list);
    }
    lookup->done.raise();
  }).detach();
  wait_or_throw(deadline, lookup->done.get(), POLLIN, "looking up its name");
  const MutexLock lock(lookup->mutex);
  if (lookup->error != 0) {
    throw HookFailure("no address of " + url.host + ": " + ::gai_strerror(lookup->error));
  }
  return std::move(lookup->found);
}

[[noreturn]] void fail(int error) {
  throw HookFailure(std::string("cannot connect: ") + std::strerror(error));
}

UniqueFd connect_to(const sockaddr* address, socklen_t size, const HookDeadline& deadline) {
  UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) fail(errno);
  if (::connect(fd.get(), address, size) == 0) return fd;
  if (errno != EINPROGRESS) fail(errno);
  wait_or_throw(deadline, fd.get(), POLLOUT, "connecting");
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) throw_errno("getsockopt");
  if (error != 0) fail(error);
  return fd;
}

UniqueFd dial_unix(const HookUrl& url, const HookDeadline& deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, url.host.data(), url.host.size());
  return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
}

}  // namespace

UniqueFd connect_to_any(const addrinfo* addresses, const HookDeadline& deadline) {
  std::int64_t left = 0;
  for (const addrinfo* one = addresses; one != nullptr; one = one->ai_next) ++left;
  for (const addrinfo* one = addresses;; one = one->ai_next, --left) {
    try {
      return connect_to(one->ai_addr, one->ai_addrlen, deadline.share(left));
    } catch (const HookFailure&) {
      if (left == 1) throw;
    }
  }
}

void wait_or_throw(const HookDeadline& deadline, int fd, short events, const char* doing) {
  switch (deadline.wait_for(fd, events)) {
    case HookDeadline::Wait::ready:
      return;
    case HookDeadline::Wait::stopped:
      throw HookInterrupted();
    case HookDeadline::Wait::timed_out:
      throw HookFailure(std::string("no answer in time (while ") + doing + ")");
  }
}

UniqueFd dial(const HookUrl& url, const HookDeadline& deadline) {
  if (url.scheme == HookUrl::Scheme::unix_socket) return dial_unix(url, deadline);
  return connect_to_any(look_up(url, deadline).get(), deadline);
}

}  // namespace taskd
