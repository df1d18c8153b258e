// Who may run tasks as whom. Checked when a task or a schedule is written and again when an attempt
// starts. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/task/handler.h"
#include "daemon/task/task.h"

namespace taskd {

// The user of a uid when it was recorded. The uid may later be given to somebody else.
struct KnownUser {
  std::uint32_t uid = 0;
  std::string name;     // "" = no user had this uid
  bool former = false;  // the uid belongs to somebody else now
};

// The store moves the rows of a former user to an owner id from here on. No system gives such uids
// to users.
inline constexpr std::uint32_t kFirstFormerOwner = 0xffff'0000;
inline constexpr std::uint32_t kLastFormerOwner = 0xffff'fffd;

// The uid that a task of `owner` runs as. `handler` is null if the task has none.
std::uint32_t run_as(std::uint32_t owner, const TaskSpec& spec, const Handler* handler);

// A task may run as its owner, as anybody if root owns it, or as the user that the configuration
// names for its handler.
bool may_run_as(std::uint32_t owner, std::uint32_t uid, const Handler* handler);

// "user 1003 (alice) does not exist any more"
std::string user_is_gone(const KnownUser& user);
// "uid 1003 was alice's and is bob's now"
std::string uid_was_given_away(const KnownUser& user, const std::string& name_now);

}  // namespace taskd
