#include "daemon/api/request/body.h"

#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/refusals.h"
#include "daemon/task/field_reader.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr JsonField<std::string> kPauseFields[] = {
    {"reason", [](FieldReader& reader, const json& value, const std::string& at, std::string& out) {
       const auto* text = reader.string(value, at);
       if (text != nullptr && reader.plain(*text, at, kMaxPauseReasonBytes)) out = *text;
     }}};

}  // namespace

nlohmann::json parse_body(std::string_view body) {
  auto parsed = parse_strict_json(body);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    throw ProblemError(400, "bad_json",
                       "at byte " + std::to_string(error->offset_bytes) + ": " + error->detail);
  }
  return std::get<nlohmann::json>(std::move(parsed));
}

std::string read_reason(const Call& call, bool is_pause) {
  if (call.body.empty()) return "";
  const json body = parse_body(call.body);
  std::string reason;
  FieldReader reader;
  if (is_pause) {
    read_fields(reader, body, "#", kPauseFields, reason);
  } else if (!body.empty()) {
    reader.complain("#", "must be empty or {}");
  }
  if (!reader.ok()) invalid_fields("invalid_request", reader.take_errors());
  return reason;
}

}  // namespace taskd
