// Establishes which user asks, and for whom. Thread-safe; throws ProblemError.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/api/request/call.h"

namespace taskd {

// Runs before every route: records the user of the uid. If the uid belonged to somebody else
// before, first sets that user's rows aside, so that none of them is visible. uid_without_user,
// no_user_database, not_allowed.
void admit(const ApiContext& context, const Call& call);
// The same for the owner of something that an admin creates for another user.
void know_owner(const ApiContext& context, std::uint32_t uid);
// The owner of what the path names: the query's `user`, or else the actor. unknown_user;
// not_allowed if anybody but an admin names another user.
std::optional<std::uint32_t> take_named_owner(const Call& call);

}  // namespace taskd
