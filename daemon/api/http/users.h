// User names and uids, and who may act for whom.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/store/task_store.h"

namespace taskd {

// Who stands behind a connection, by what the kernel says of it.
Actor actor_of(const ucred& peer);

// A user name, or else a decimal uid; nothing when it is neither. Throws std::system_error when the
// user database cannot be read.
std::optional<std::uint32_t> find_uid(const std::string& name_or_uid);
bool uid_exists(std::uint32_t uid);

// The name, or "uid 1003" for one that has none.
std::string name_or_uid(std::uint32_t uid);

}  // namespace taskd
