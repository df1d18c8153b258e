#include "daemon/task/run_as.h"

namespace taskd {

std::uint32_t run_as(std::uint32_t owner, const TaskSpec& spec, const Handler* handler) {
  if (handler != nullptr && handler->user_uid) return *handler->user_uid;
  return spec.user_uid.value_or(owner);
}

bool may_run_as(std::uint32_t owner, std::uint32_t uid, const Handler* handler) {
  return uid == owner || owner == 0 || (handler != nullptr && handler->user_uid == uid);
}

std::string user_is_gone(const KnownUser& user) {
  if (user.name.empty()) return "there is no user with uid " + std::to_string(user.uid);
  return "user " + std::to_string(user.uid) + " (" + user.name + ") does not exist any more";
}

std::string uid_was_given_away(const KnownUser& user, const std::string& name_now) {
  return "uid " + std::to_string(user.uid) + " was " + user.name + "'s and is " + name_now +
         "'s now";
}

}  // namespace taskd
