// User names and uids, and who may act for whom.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/store/task_store.h"

namespace taskd {

// The user behind a connection, from the kernel's credentials.
Actor actor_of(const ucred& peer);

// Accepts a user name or a decimal uid; returns nothing for anything else. Throws std::system_error
// if the user database cannot be read.
std::optional<std::uint32_t> find_uid(const std::string& name_or_uid);
bool uid_exists(std::uint32_t uid);

// The user's name, or "uid 1003" without one.
std::string name_or_uid(std::uint32_t uid);

}  // namespace taskd
