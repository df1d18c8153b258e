// Who asks, and for whom. Thread-safe; throws ProblemError.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/api/request/call.h"

namespace taskd {

// Before every route: remembers who has the uid. If it was another's before, what that one left is
// set aside first, so that nothing of it is seen. uid_without_user, no_user_database, not_allowed.
void admit(const ApiContext& context, const Call& call);
// The same for the owner of what an admin makes for somebody else.
void know_owner(const ApiContext& context, std::uint32_t uid);
// Whose thing the path names, by the query's `user`, if there is one; else it is the actor's.
// unknown_user; not_allowed where somebody else than an admin names another.
std::optional<std::uint32_t> take_named_owner(const Call& call);

}  // namespace taskd
