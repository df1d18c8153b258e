#include "daemon/api/request/admission.h"

#include <unistd.h>

#include <system_error>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/users.h"
#include "daemon/base/log.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

std::string name_of(const ApiContext& context, std::uint32_t uid) {
  try {
    return context.user_names->name_of(uid);
  } catch (const std::system_error& e) {
    throw ProblemError(503, "no_user_database",
                       std::string("the user database cannot be read: ") + e.what());
  }
}

}  // namespace

void admit(const ApiContext& context, const Call& call) {
  const std::uint32_t uid = call.actor.uid;
  if (call.actor.admin) return;
  if (uid >= kFirstFormerOwner) {
    throw ProblemError(403, "not_allowed", "this uid is reserved by the daemon");
  }
  const auto known = context.store.known_user(uid);
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (!known && reads) return;  // they own nothing
  const std::string name = name_of(context, uid);
  if (!known || (known->name.empty() && !name.empty())) {
    if (!reads) context.store.know_user(uid, name);
  } else if (name.empty() && !known->name.empty()) {
    throw ProblemError(403, "uid_without_user", user_is_gone(*known));
  } else if (known->name != name) {
    log::warn("a uid belongs to another user now; setting the former user's tasks aside",
              {{"uid", uid}, {"was", known->name}, {"is", name}});
    context.store.set_aside(uid, name);
  }
}

void know_owner(const ApiContext& context, std::uint32_t uid) {
  if (uid == 0 || uid == ::geteuid() || context.store.known_user(uid)) return;
  context.store.know_user(uid, name_of(context, uid));
}

std::optional<std::uint32_t> take_named_owner(const Call& call) {
  const auto name = call.query.take("user");
  if (!name) return std::nullopt;
  const auto uid = find_uid(*name);
  if (uid == call.actor.uid) return uid;
  if (!call.actor.admin) {
    throw ProblemError(403, "not_allowed",
                       "\"user\": only root and the daemon's own user may name another user");
  }
  if (!uid) throw ProblemError(422, "unknown_user", "there is no user " + in_quotes(*name));
  return uid;
}

}  // namespace taskd
