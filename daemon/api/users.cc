#include "daemon/api/users.h"

#include <pwd.h>
#include <unistd.h>

#include <functional>
#include <limits>
#include <vector>

#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

using Lookup = std::function<int(passwd*, char*, std::size_t, passwd**)>;

// Runs one of getpw*_r with a buffer that is large enough.
std::optional<std::uint32_t> look_up(const Lookup& lookup) {
  for (std::vector<char> buffer(4096);; buffer.resize(buffer.size() * 4)) {
    passwd entry{};
    passwd* found = nullptr;
    const int error = lookup(&entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < (1 << 20)) continue;
    if (found != nullptr) return entry.pw_uid;
    // What the various databases say of a user they do not have (getpwnam_r(3)).
    if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
      return std::nullopt;
    }
    errno = error;
    throw_errno("looking up a user");
  }
}

}  // namespace

Actor actor_of(const ucred& peer) {
  return {peer.uid, peer.uid == 0 || peer.uid == ::geteuid()};
}

std::optional<std::uint32_t> find_uid(const std::string& name_or_uid) {
  const auto by_name = look_up([&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
    return ::getpwnam_r(name_or_uid.c_str(), entry, buffer, size, found);
  });
  if (by_name) return by_name;
  const auto number = parse_int(name_or_uid);
  // (uid_t)-1 means "no user" to the kernel.
  if (!number || *number < 0 || *number >= std::numeric_limits<std::uint32_t>::max()) return {};
  return static_cast<std::uint32_t>(*number);
}

bool uid_exists(std::uint32_t uid) {
  return look_up([&](passwd* entry, char* buffer, std::size_t size, passwd** found) {
           return ::getpwuid_r(uid, entry, buffer, size, found);
         })
      .has_value();
}

bool may_run_as(const Actor& actor, std::uint32_t uid) {
  if (::geteuid() != 0) return uid == ::geteuid();
  return uid == actor.uid || actor.uid == 0;
}

}  // namespace taskd
