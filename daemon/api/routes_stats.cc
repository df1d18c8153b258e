#include <nlohmann/json.hpp>

#include "daemon/api/routes.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

using nlohmann::json;

json counts_to_json(const std::int64_t (&counts)[std::size(kAllStates)]) {
  json object = json::object();
  for (const State state : kAllStates) {
    object[to_string(state)] = counts[static_cast<std::size_t>(state)];
  }
  return object;
}

}  // namespace

Reply show_stats(const ApiContext& context, const Call& call) {
  call.query.finish();
  std::int64_t total[std::size(kAllStates)] = {};
  json queues = json::array();
  for (const QueueStats& queue : context.store.stats()) {
    for (std::size_t i = 0; i < std::size(total); ++i) total[i] += queue.counts[i];
    queues.push_back({{"name", queue.name},
                      {"capacity", queue.capacity},
                      {"counts", counts_to_json(queue.counts)}});
  }
  const WorkerCounts workers = context.workers();
  return json_reply(200, {{"version", context.version},
                          {"started_at", format_rfc3339(context.started_at)},
                          {"workers", {{"total", workers.total}, {"busy", workers.busy}}},
                          {"counts", counts_to_json(total)},
                          {"queues", std::move(queues)}});
}

Reply show_health(const ApiContext& context, const Call& call) {
  call.query.finish();
  if (context.watch.closed()) throw ProblemError(503, "shutting_down", "the daemon is stopping");
  return json_reply(200, {{"status", "ok"}});
}

}  // namespace taskd
