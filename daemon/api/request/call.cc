#include "daemon/api/request/call.h"

#include <nlohmann/json.hpp>

namespace taskd {

std::string dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Reply json_reply(int status, const nlohmann::json& body) {
  return written_reply(status, dump(body));
}

Reply written_reply(int status, std::string json) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(json);
  reply.body += '\n';
  return reply;
}

Reply problem_reply(const Problem& problem, std::optional<std::int64_t> retry_after_s) {
  Reply reply = json_reply(problem.status, problem_to_json(problem));
  reply.content_type = "application/problem+json";
  if (retry_after_s) reply.headers.emplace_back("Retry-After", std::to_string(*retry_after_s));
  return reply;
}

}  // namespace taskd
