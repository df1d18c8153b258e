// Key names may contain any characters, which a path cannot, so they are query parameters.
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/users.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1000;

std::optional<std::uint32_t> take_user(const Call& call) {
  const auto name = call.query.take("user");
  if (!name) return std::nullopt;
  const auto uid = find_uid(*name);
  if (uid) return uid;
  const std::string detail = "there is no user " + in_quotes(*name);
  throw ProblemError(422, "unknown_user", detail, {{"user", detail}});
}

[[noreturn]] void ambiguous_key(const std::string& name, const AmbiguousKey& several) {
  std::string uids;
  for (const std::uint32_t uid : several.uids) {
    uids += (uids.empty() ? "" : ", ") + std::to_string(uid);
  }
  throw ProblemError(
      409, "ambiguous_key",
      "several users have a key " + in_quotes(name) + "; choose one with \"user\": " + uids);
}

}  // namespace

Reply list_keys(const ApiContext& context, const Call& call) {
  KeysRequest request;
  request.actor = call.actor;
  request.name = call.query.take("name");
  request.uid = take_user(call);
  request.active = call.query.take_bool("active");
  request.limit = static_cast<int>(call.query.take_int("limit", 1, kMaxPage, kDefaultPage));
  const std::string list = "keys " + std::to_string(request.uid.value_or(0)) +
                           (request.uid ? " of one " : " of all ") +
                           (request.active ? "active " : "any ") + request.name.value_or("");
  if (const auto cursor = call.query.take("cursor")) request.before = parse_cursor(*cursor, list);
  call.query.finish();
  const auto [keys, next] = context.store.keys(request);
  json out = json::array();
  for (const KeyInfo& key : keys) out.push_back(key_to_json(key));
  return json_reply(200,
                    {{"keys", std::move(out)},
                     {"next_cursor", next ? json(make_cursor(*next, list)) : json()}});
}

Reply patch_key(const ApiContext& context, const Call& call) {
  const auto name = call.query.take("name");
  const auto uid = take_user(call);
  call.query.finish();
  if (!name) bad_query("name", "is needed: the key's name");
  auto patch = key_patch_from_json(parse_body(call.body));
  if (auto* errors = std::get_if<FieldErrors>(&patch)) {
    invalid_fields("invalid_request", std::move(*errors));
  }
  auto& limits = std::get<KeyPatch>(patch);
  limits.name = *name;
  limits.uid = uid;
  const KeyResult result = context.store.set_key(call.actor, limits);
  if (std::holds_alternative<UnknownKey>(result)) {
    throw ProblemError(404, "no_such_key",
                       "no task of yours has the key " + in_quotes(*name) +
                           "; the first submit that names a key creates it");
  }
  if (const auto* several = std::get_if<AmbiguousKey>(&result)) ambiguous_key(*name, *several);
  return json_reply(200, key_to_json(std::get<KeyInfo>(result)));
}

}  // namespace taskd
