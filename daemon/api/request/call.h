// What a route is given and what it gives back; free of the HTTP library.
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
#include "daemon/api/request/query.h"
#include "daemon/api/request/context.h"

namespace taskd {

// One request. Everything in it lives until its answer is written.
struct Call {
  Actor actor;
  std::string_view method;
  std::string_view path;
  std::string_view parameter;  // what stands where the route has {id} or {name}
  HttpQuery& query;
  std::string_view body;
  const std::optional<std::string>& idempotency_key;
  const std::optional<std::string>& if_match;
  HttpConnection& connection;
  ConnectionPool& pool;
  ConnectionPool::Turn& turn;
};

// Writes a piece of a stream to the client and waits until it is on its way. False: the client is
// gone and nothing more can be written.
using StreamWriter = std::function<bool(std::string_view)>;

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  // If set, writes the body bit by bit, after the head was sent. False when it cannot be finished:
  // the connection is then cut, which a client can tell from a good end.
  std::function<bool(const StreamWriter&)> stream;
  // There is no answer yet: the connection has an HttpWait, and the route is asked again.
  bool waits = false;
};

// `json` as text. Names and commands were checked when they came in; what a job wrote (a tail of
// stderr) may be anything, so broken UTF-8 is replaced.
std::string dump(const nlohmann::json& json);

Reply json_reply(int status, const nlohmann::json& body);
Reply written_reply(int status, std::string json);  // JSON that is written out already
Reply problem_reply(const Problem& problem,
                    std::optional<std::int64_t> retry_after_s = std::nullopt);

using Route = Reply (*)(const ApiContext&, const Call&);

}  // namespace taskd
