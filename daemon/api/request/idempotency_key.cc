#include "daemon/api/request/idempotency_key.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/base/digest.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxKeyBytes = 255;

}  // namespace

const std::string& checked_key(const Call& call) {
  const std::string& key = *call.idempotency_key;
  const auto printable = [](char c) { return c > 0x20 && c < 0x7f; };
  if (key.empty() || key.size() > kMaxKeyBytes || !std::all_of(key.begin(), key.end(), printable)) {
    throw ProblemError(400, "bad_idempotency_key",
                       "an Idempotency-Key has 1 to 255 printable ASCII bytes without blanks");
  }
  return key;
}

std::string meaning_of(const Call& call, const json& body) {
  std::string text(call.method);
  text.append(" ")
      .append(call.path)
      .append("?")
      .append(call.query.text())
      .append("\n")
      .append(body.dump());
  return sha256_hex(text);
}

void set_idempotency_key(const Call& call, const json& body, SubmitRequest& request) {
  if (!call.idempotency_key) return;
  request.idempotency_key = checked_key(call);
  request.request_digest = meaning_of(call, body);
}

}  // namespace taskd
