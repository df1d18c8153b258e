#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/start_constraints_json.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr JsonField<KeyPatch> kPatchFields[] = {
    {"limit",
     [](FieldReader& reader, const json& value, const std::string& at, KeyPatch& key) {
       auto& limit = key.limit.emplace();
       if (!value.is_null()) reader.integer(value, at, 1, kMaxKeyLimit, limit.emplace());
     }},
    {"rate",
     [](FieldReader& reader, const json& value, const std::string& at, KeyPatch& key) {
       auto& rate = key.rate.emplace();
       if (!value.is_null()) read_rate_limit(reader, value, at, rate.emplace());
     }},
};

}  // namespace

json key_to_json(const KeyInfo& key) {
  return {{"name", key.name},
          {"uid", key.uid},
          {"limit", key.limit ? json(*key.limit) : json(nullptr)},
          {"rate", rate_to_json(key.rate)},
          {"running", key.running},
          {"queued", key.queued},
          {"blocked", key.blocked},
          {"next_start_at", time_or_null(key.next_start_at)}};
}

KeyInfo key_from_json(const json& object) {
  KeyInfo key;
  try {
    key.name = object.at("name").get<std::string>();
    key.uid = object.at("uid").get<std::uint32_t>();
    if (const json& limit = object.at("limit"); !limit.is_null()) key.limit = limit.get<int>();
    if (const json& rate = object.at("rate"); !rate.is_null())
      key.rate = rate_from_json(rate);
    key.running = object.at("running").get<std::int64_t>();
    key.queued = object.at("queued").get<std::int64_t>();
    key.blocked = object.at("blocked").get<std::int64_t>();
    if (const json& next = object.at("next_start_at"); !next.is_null()) {
      key.next_start_at = parse_rfc3339(next.get<std::string>());
      if (!key.next_start_at) throw std::runtime_error("\"next_start_at\" is not a timestamp");
    }
  } catch (const json::exception& e) {
    throw std::runtime_error(std::string("the key cannot be read: ") + e.what());
  }
  return key;
}

std::variant<KeyPatch, FieldErrors> key_patch_from_json(const json& body) {
  FieldReader reader;
  KeyPatch key;
  read_fields(reader, body, "#", kPatchFields, key);
  if (!reader.ok()) return reader.take_errors();
  return key;
}

}  // namespace taskd
