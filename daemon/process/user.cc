#include "daemon/process/user.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "daemon/base/errors.h"

namespace taskd {
namespace {

// Calls one of getpw*_r with a buffer that is large enough.
template <class Lookup>
std::optional<User> look_up(const std::string& what, const Lookup& lookup) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  for (std::vector<char> buffer(1024);; buffer.resize(buffer.size() * 4)) {
    passwd entry{};
    passwd* found = nullptr;
    const int error = lookup(&entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < kMaxBytes) continue;
    if (found != nullptr) {
      User user{entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir, entry.pw_shell, {}};
      if (user.home.empty()) user.home = "/";
      if (user.shell.empty()) user.shell = "/bin/sh";
      return user;
    }
    // What the various databases say of a user they do not have (getpwnam_r(3)).
    if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
      return std::nullopt;
    }
    errno = error;
    throw_errno("look up " + what);
  }
}

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

std::optional<User> find_entry(uid_t uid) {
  return look_up("uid " + std::to_string(uid),
                 [uid](passwd* entry, char* buffer, std::size_t size, passwd** found) {
                   return ::getpwuid_r(uid, entry, buffer, size, found);
                 });
}

std::optional<User> find_entry(const std::string& name) {
  return look_up("user " + name,
                 [&name](passwd* entry, char* buffer, std::size_t size, passwd** found) {
                   return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
                 });
}

std::optional<std::string> why_not_the_same(const KnownUser& known) {
  if (known.former) return user_is_gone(known);
  // Root is root under whatever name.
  if (known.name.empty() || known.uid == 0 || known.uid == ::geteuid()) return std::nullopt;
  const std::optional<User> now = find_entry(known.uid);
  if (!now) return user_is_gone(known);
  if (now->name == known.name) return std::nullopt;
  return uid_was_given_away(known, now->name);
}

std::string UserNames::name_of(uid_t uid) {
  constexpr std::int64_t kKeptMs = 60'000;
  constexpr std::size_t kMax = 10'000;
  struct stat now {};
  const bool found = ::stat("/etc/passwd", &now) == 0;
  const MutexLock lock(mutex_);
  const bool same = found && now.st_ino == read_.st_ino && now.st_size == read_.st_size &&
                    now.st_mtim.tv_sec == read_.st_mtim.tv_sec &&
                    now.st_mtim.tv_nsec == read_.st_mtim.tv_nsec;
  if (!same || clock_.boot_now() >= until_ || names_.size() >= kMax) {
    names_.clear();
    read_ = now;
    until_ = clock_.boot_now() + kKeptMs;
  }
  const auto known = names_.find(uid);
  if (known != names_.end()) return known->second;
  const std::optional<User> user = find_entry(uid);
  return names_[uid] = user ? user->name : "";
}

std::optional<User> find_user(uid_t uid, bool with_groups) {
  std::optional<User> user = find_entry(uid);
  if (!user) return own_user_without_entry(uid);
  if (with_groups) user->groups = groups_of(*user);
  return user;
}

}  // namespace taskd
