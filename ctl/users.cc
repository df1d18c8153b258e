#include "ctl/users.h"

#include <pwd.h>

#include <cstdio>
#include <memory>

#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

// "" = it has none.
std::string name_of(std::uint32_t uid) {
  static const UserNames names = read_user_names("/etc/passwd");
  const auto user = names.find(uid);
  return user == names.end() ? "" : escape_for_humans(user->second);
}

}  // namespace

UserNames read_user_names(const std::string& path) {
  UserNames names;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return names;
  while (const passwd* user = ::fgetpwent(file.get())) names.emplace(user->pw_uid, user->pw_name);
  return names;
}

std::string short_user(std::uint32_t uid) {
  const std::string name = name_of(uid);
  return name.empty() ? std::to_string(uid) : name;
}

std::string describe_user(std::uint32_t uid) {
  const std::string name = name_of(uid);
  return name.empty() ? "uid " + std::to_string(uid) : name;
}

}  // namespace taskd::ctl
