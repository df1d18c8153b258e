// Who may run as whom: the one rule, asked where a task or a schedule is written and once more
// where an attempt starts. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/task/handler.h"
#include "daemon/task/task.h"

namespace taskd {

// Who had a uid when it was written down. A user may be deleted and the uid be given to another.
struct KnownUser {
  std::uint32_t uid = 0;
  std::string name;     // "" = the uid was in no user database
  bool former = false;  // the uid is somebody else's by now
};

// A store puts the rows of a former user aside under an owner from here on. No system gives such
// uids to users.
inline constexpr std::uint32_t kFirstFormerOwner = 0xffff'0000;
inline constexpr std::uint32_t kLastFormerOwner = 0xffff'fffd;

// Whom a task of `owner` runs as. `handler` is the task's, null where it has none.
std::uint32_t run_as(std::uint32_t owner, const TaskSpec& spec, const Handler* handler);

// A task runs as its owner, as anybody if its owner is root, or as the user that the configuration
// names for its handler.
bool may_run_as(std::uint32_t owner, std::uint32_t uid, const Handler* handler);

// "user 1003 (alice) does not exist any more"
std::string user_is_gone(const KnownUser& user);
// "uid 1003 was alice's and is bob's now"
std::string uid_was_given_away(const KnownUser& user, const std::string& name_now);

}  // namespace taskd
