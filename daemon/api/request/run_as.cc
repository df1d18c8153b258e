// Whose tasks a request may touch, and as whom they may run.
#include <unistd.h>

#include <system_error>

#include "daemon/api/http/users.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/process/user.h"

namespace taskd {
namespace {

[[noreturn]] void unknown_user(const std::string& user, const std::string& pointer) {
  throw ProblemError(422, "unknown_user", "there is no user " + user,
                     {{pointer + "/user", "no such user"}});
}

[[noreturn]] void refuse_user(const std::string& pointer, const std::string& detail) {
  throw ProblemError(403, "not_allowed", detail, {{pointer + "/user", detail}});
}

void resolve_name(const std::string& pointer, TaskSpec& spec) {
  if (spec.user_name.empty()) return;
  spec.user_uid = find_uid(spec.user_name);
  if (!spec.user_uid) unknown_user(in_quotes(spec.user_name), pointer);
  spec.user_name.clear();
  spec.user_was.clear();
}

// Remembers whose the uid is.
void name_user(const std::string& pointer, TaskSpec& spec) {
  if (!spec.user_uid || !spec.user_was.empty()) return;
  const auto entry = find_entry(*spec.user_uid);
  if (!entry) unknown_user("with uid " + std::to_string(*spec.user_uid), pointer);
  spec.user_was = entry->name;
}

std::string name_of(const ApiContext& context, std::uint32_t uid) {
  try {
    return context.user_names->name_of(uid);
  } catch (const std::system_error& e) {
    throw ProblemError(503, "no_user_database",
                       std::string("the user database cannot be read: ") + e.what());
  }
}

}  // namespace

void check_user(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec) {
  const Handler* handler = spec.handler.empty() || context.handlers == nullptr
                               ? nullptr
                               : context.handlers->find(spec.handler);
  const bool by_handler = handler != nullptr && handler->user_uid;
  // Who such a handler runs as is up to the configuration.
  if (!by_handler) resolve_name(pointer, spec);
  const std::uint32_t uid = run_as(owner, spec, handler);
  if (!may_run_as(owner, uid, handler)) {
    refuse_user(pointer,
                owner == actor.uid
                    ? "this daemon does not run tasks of yours as uid " + std::to_string(uid)
                    : "it belongs to " + name_or_uid(owner) +
                          " and runs as nobody else; submit one of your own to run it as "
                          "uid " +
                          std::to_string(uid));
  }
  if (::geteuid() != 0 && uid != ::geteuid()) {
    refuse_user(pointer, "this daemon is not root's: it runs everything as uid " +
                             std::to_string(::geteuid()) + ", and nothing as uid " +
                             std::to_string(uid));
  }
  if (!by_handler) name_user(pointer, spec);
}

void admit(const ApiContext& context, const Call& call) {
  const std::uint32_t uid = call.actor.uid;
  if (call.actor.admin) return;
  if (uid >= kFirstFormerOwner) {
    throw ProblemError(403, "not_allowed", "this uid is used inside the daemon");
  }
  const auto known = context.store.known_user(uid);
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (!known && reads) return;  // nothing is theirs
  const std::string name = name_of(context, uid);
  if (!known || (known->name.empty() && !name.empty())) {
    if (!reads) context.store.know_user(uid, name);
  } else if (name.empty() && !known->name.empty()) {
    throw ProblemError(403, "uid_without_user", user_is_gone(*known));
  } else if (known->name != name) {
    log::warn("a uid is another user's now; what the former one left is set aside",
              {{"uid", uid}, {"was", known->name}, {"is", name}});
    context.store.set_aside(uid, name);
  }
}

void know_owner(const ApiContext& context, std::uint32_t uid) {
  if (uid == 0 || uid == ::geteuid() || context.store.known_user(uid)) return;
  context.store.know_user(uid, name_of(context, uid));
}

void check_task(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec) {
  check_command(context, spec);
  const bool known =
      spec.handler.empty() || (context.handlers != nullptr && context.handlers->find(spec.handler));
  if (!known) unknown_handler(spec.handler, pointer);
  check_user(context, actor, owner, pointer, spec);
  check_needs(context.machine, pointer, spec);
}

std::optional<std::uint32_t> take_named_owner(const Call& call) {
  const auto name = call.query.take("user");
  if (!name) return std::nullopt;
  const auto uid = find_uid(*name);
  if (uid == call.actor.uid) return uid;
  if (!call.actor.admin) {
    throw ProblemError(403, "not_allowed",
                       "\"user\": only root and the daemon's own user name another user's");
  }
  if (!uid) throw ProblemError(422, "unknown_user", "there is no user " + in_quotes(*name));
  return uid;
}

}  // namespace taskd
