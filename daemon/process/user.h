// Who a task runs as, from the user database. Thread-safe.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/task/run_as.h"

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

// Why this is not the user any more who had the uid, in a sentence. Nothing when it still is, when
// nobody knows who it was, and for the caller's own uid. Throws std::system_error when the database
// cannot be asked.
std::optional<std::string> why_not_the_same(const KnownUser& known);

// Names by uid, kept for as long as /etc/passwd does not change, and for a minute at most, since
// there are other databases. Thread-safe.
class UserNames {
 public:
  explicit UserNames(const Clock& clock) : clock_(clock) {}
  // "" = there is no such user. Throws std::system_error when the database cannot be asked.
  std::string name_of(uid_t uid);

 private:
  const Clock& clock_;
  Mutex mutex_;
  struct stat read_ TASKD_GUARDED_BY(mutex_) {};  // /etc/passwd as it was
  BootTime until_ TASKD_GUARDED_BY(mutex_) = {};
  std::map<uid_t, std::string> names_ TASKD_GUARDED_BY(mutex_);
};

}  // namespace taskd
