// Looks up the user of a task in the user database. Thread-safe.
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
  std::vector<gid_t> groups;  // complete, but only filled if find_user() is asked to
};

// The user's entry in the database, without groups. Nothing if there is none. Throws
// std::system_error if the database cannot be read.
std::optional<User> find_entry(uid_t uid);
std::optional<User> find_entry(const std::string& name);

// Nothing if there is no such user. The caller's own uid always works, because containers run with
// uids that no database knows. Throws std::system_error if the database cannot be read.
std::optional<User> find_user(uid_t uid, bool with_groups);

// Returns a sentence if the uid no longer belongs to the recorded user. Nothing if it still does,
// if the user is unknown, and for the caller's own uid. Throws std::system_error if the database
// cannot be read.
std::optional<std::string> why_not_the_same(const KnownUser& known);

// Names by uid, cached until /etc/passwd changes, but at most a minute, since there are other
// databases. Thread-safe.
class UserNames {
 public:
  explicit UserNames(const Clock& clock) : clock_(clock) {}
  // "" if there is no such user. Throws std::system_error if the database cannot be read.
  std::string name_of(uid_t uid);

 private:
  const Clock& clock_;
  Mutex mutex_;
  struct stat read_ TASKD_GUARDED_BY(mutex_) {};  // state of /etc/passwd when it was read
  BootTime until_ TASKD_GUARDED_BY(mutex_) = {};
  std::map<uid_t, std::string> names_ TASKD_GUARDED_BY(mutex_);
};

}  // namespace taskd
