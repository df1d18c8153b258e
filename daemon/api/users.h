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

// May `actor` have a task run as `uid`? Only root may name somebody else, and only a daemon that
// runs as root can run anything as somebody else.
bool may_run_as(const Actor& actor, std::uint32_t uid);

}  // namespace taskd
