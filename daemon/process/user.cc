#include "daemon/process/user.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "daemon/base/errors.h"

namespace taskd {
namespace {

std::vector<gid_t> groups_of(const User& user) {
  std::vector<gid_t> groups(32);
  int count = static_cast<int>(groups.size());
  while (::getgrouplist(user.name.c_str(), user.gid, groups.data(), &count) < 0) {
    // Some modules leave the count as it was instead of telling how many there are.
    const auto told = static_cast<std::size_t>(count);
    groups.resize(told > groups.size() ? told : groups.size() * 2);
    count = static_cast<int>(groups.size());
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

std::optional<User> own_user_without_entry(uid_t uid) {
  if (uid != ::geteuid()) return std::nullopt;
  return User{uid, ::getegid(), std::to_string(uid), "/", "/bin/sh", {}};
}

}  // namespace

std::optional<User> find_user(uid_t uid, bool with_groups) {
  std::vector<char> buffer(1024);
  passwd entry{};
  passwd* found = nullptr;
  int error = 0;
  while ((error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found)) == ERANGE) {
    buffer.resize(buffer.size() * 2);
  }
  if (found == nullptr) {
    // Some modules report "no such user" as an error.
    if (error == 0 || error == ENOENT || error == ESRCH) return own_user_without_entry(uid);
    errno = error;
    throw_errno("look up uid " + std::to_string(uid));
  }
  User user{uid, entry.pw_gid, entry.pw_name, entry.pw_dir, entry.pw_shell, {}};
  if (user.home.empty()) user.home = "/";
  if (user.shell.empty()) user.shell = "/bin/sh";
  if (with_groups) user.groups = groups_of(user);
  return user;
}

}  // namespace taskd
