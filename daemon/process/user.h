// Who a task runs as, from the user database. Thread-safe.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace taskd {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
  std::string home;
  std::string shell;
  std::vector<gid_t> groups;  // all of them; filled by find_user() only when asked
};

// The user's entry in the database, without the groups. Nothing when there is none. Throws
// std::system_error when the database cannot be asked.
std::optional<User> find_entry(uid_t uid);
std::optional<User> find_entry(const std::string& name);

// Nothing when there is no such user. For the caller's own uid there always is one: containers run
// as uids that no database knows. Throws std::system_error when the database cannot be asked.
std::optional<User> find_user(uid_t uid, bool with_groups);

}  // namespace taskd
