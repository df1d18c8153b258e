#include "ctl/base/users.h"

#include <grp.h>
#include <pwd.h>

#include <cstdio>
#include <map>
#include <memory>

#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

const std::string& safe_name(std::uint32_t uid) {
  static std::map<std::uint32_t, std::string> known = {{0, "root"}};
  const auto [name, is_new] = known.try_emplace(uid);
  if (is_new) name->second = escape_for_humans(name_in("/etc/passwd", uid));
  return name->second;
}

}  // namespace

std::string name_in(const std::string& passwd_path, std::uint32_t uid) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(passwd_path.c_str(), "re"),
                                                   std::fclose);
  if (!file) return "";
  while (const passwd* user = ::fgetpwent(file.get())) {
    // NIS entries, not names.
    const bool is_nis = user->pw_name[0] == '+' || user->pw_name[0] == '-';
    if (user->pw_uid == uid && !is_nis) return user->pw_name;
  }
  return "";
}

std::optional<std::uint32_t> uid_in(const std::string& passwd_path, const std::string& name) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(passwd_path.c_str(), "re"),
                                                   std::fclose);
  while (const passwd* user = file ? ::fgetpwent(file.get()) : nullptr) {
    if (user->pw_name == name) return user->pw_uid;
  }
  const auto number = parse_int(name);
  constexpr std::int64_t kMaxUid = 4'294'967'294;
  if (!number || *number < 0 || *number > kMaxUid) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::string short_user(std::uint32_t uid) {
  const std::string& name = safe_name(uid);
  return name.empty() ? std::to_string(uid) : name;
}

std::string short_group(std::uint32_t gid) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/etc/group", "re"), std::fclose);
  while (const group* entry = file ? ::fgetgrent(file.get()) : nullptr) {
    const bool is_nis = entry->gr_name[0] == '+' || entry->gr_name[0] == '-';
    if (entry->gr_gid == gid && !is_nis) return escape_for_humans(entry->gr_name);
  }
  return std::to_string(gid);
}

std::string describe_user(std::uint32_t uid) {
  const std::string& name = safe_name(uid);
  return name.empty() ? "uid " + std::to_string(uid) : name;
}

}  // namespace taskd::ctl
