#include "daemon/api/http/users.h"

#include <unistd.h>

#include <limits>

#include "daemon/base/text.h"
#include "daemon/process/user.h"

namespace taskd {

Actor actor_of(const ucred& peer) {
  return {peer.uid, peer.uid == 0 || peer.uid == ::geteuid()};
}

std::optional<std::uint32_t> find_uid(const std::string& name_or_uid) {
  if (const auto entry = find_entry(name_or_uid)) return entry->uid;
  const auto number = parse_int(name_or_uid);
  // (uid_t)-1 means "no user" to the kernel.
  if (!number || *number < 0 || *number >= std::numeric_limits<std::uint32_t>::max()) return {};
  return static_cast<std::uint32_t>(*number);
}

bool uid_exists(std::uint32_t uid) {
  return find_entry(uid).has_value();
}

std::string name_or_uid(std::uint32_t uid) {
  const auto entry = find_entry(uid);
  return entry ? entry->name : "uid " + std::to_string(uid);
}

}  // namespace taskd
