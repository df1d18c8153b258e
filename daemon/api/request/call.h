// The input and output of a route, independent of the HTTP library.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/api/http/connection_pool.h"
#include "daemon/api/http/problem.h"
#include "daemon/api/request/context.h"
#include "daemon/api/request/query.h"

namespace taskd {

// One request. Everything in it lives until its answer is written.
struct Call {
  Actor actor;
  std::string_view method;
  std::string_view path;
  std::string_view parameter;  // the part of the path at the route's {id} or {name}
  HttpQuery& query;
  std::string_view body;
  const std::optional<std::string>& idempotency_key;
  const std::optional<std::string>& if_match;
  HttpConnection& connection;
  ConnectionPool& pool;
  ConnectionPool::Turn& turn;
};

// Writes a piece of a stream and waits until it is sent. Returns false if the client is gone.
using StreamWriter = std::function<bool(std::string_view)>;

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  // If set, writes the body piece by piece after the head was sent. Returns false if it cannot
  // finish: the connection is then cut, so that the client can tell it from a normal end.
  std::function<bool(const StreamWriter&)> stream;
  // There is no answer yet: the connection holds an HttpWait, and the route will be called again.
  bool waits = false;
};

// Serialises `json`. Replaces broken UTF-8, since the output of a job (a tail of stderr) may
// contain any bytes.
std::string dump(const nlohmann::json& json);

Reply json_reply(int status, const nlohmann::json& body);
Reply written_reply(int status, std::string json);  // for text that is already JSON
Reply problem_reply(const Problem& problem,
                    std::optional<std::int64_t> retry_after_s = std::nullopt);

using Route = Reply (*)(const ApiContext&, const Call&);

}  // namespace taskd
