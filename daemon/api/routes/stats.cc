#include <sys/statvfs.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

using nlohmann::json;

// The file system of the jobs' output, and nearly always of the database, too. Zeros if it cannot
// be read. Space reserved for root does not count as free.
json disk_to_json(const ApiContext& context) {
  struct statvfs info {};
  const char* const folder = context.attempts_dir.c_str();
  const bool known = ::statvfs(folder, &info) == 0;
  const bool writable = known && ::access(folder, W_OK | X_OK) == 0;
  return {{"total_bytes", std::uint64_t{info.f_blocks} * info.f_frsize},
          {"free_bytes", std::uint64_t{info.f_bavail} * info.f_frsize},
          {"needed_bytes", context.store.needed_disk_bytes()},
          {"writable", writable}};
}

// How long others wait for a transaction, not counting the disk.
json writer_to_json(const CommitTimesUs& times) {
  return {{"commits", times.count},
          {"waiting", times.waiting},
          {"cpu_us",
           {{"p50", times.p50}, {"p99", times.p99}, {"p999", times.p999}, {"max", times.max}}}};
}

// Everything declared, whether in use or not.
json resources_to_json(const Machine& machine, const Allocation& use) {
  json list = json::array();
  for (const auto& [name, resource] : machine.resources) {
    const auto amount = use.resources.find(name);
    json one = {{"name", name},
                {"amount", resource.amount},
                {"used", amount == use.resources.end() ? 0 : amount->second},
                {"units", nullptr},
                {"used_units", nullptr}};
    if (!resource.units.empty()) {
      const auto units = use.units.find(name);
      one["units"] = resource.units;
      one["used_units"] = units == use.units.end() ? std::vector<std::string>{} : units->second;
    }
    list.push_back(std::move(one));
  }
  return list;
}

// While the wall clock is not trusted: how far it is ahead, and when it will be trusted.
json clock_to_json(const ApiContext& context) {
  const auto ahead = context.age_clock != nullptr ? context.age_clock->ahead() : std::nullopt;
  if (!ahead) return nullptr;
  return {{"ahead_ms", ahead->by_ms}, {"believed_at", format_rfc3339(ahead->believed_at)}};
}

}  // namespace

Reply show_stats(const ApiContext& context, const Call& call) {
  call.query.finish();
  std::int64_t total[std::size(kAllStates)] = {};
  json queues = json::array();
  for (const QueueInfo& queue : context.store.queues()) {
    for (std::size_t i = 0; i < std::size(total); ++i) total[i] += queue.counts[i];
    queues.push_back(queue_to_json(queue));
  }
  const WorkerCounts workers = context.workers();
  const Allocation use = context.store.allocation();
  return json_reply(200, {{"version", context.version},
                          {"started_at", format_rfc3339(context.started_at)},
                          {"workers", {{"total", workers.total}, {"busy", workers.busy}}},
                          {"slots", {{"total", context.machine.slots}, {"used", use.slots}}},
                          {"resources", resources_to_json(context.machine, use)},
                          {"counts", counts_to_json(total)},
                          {"queues", std::move(queues)},
                          {"disk", disk_to_json(context)},
                          {"clock", clock_to_json(context)},
                          {"events_of_removed_tasks", context.store.kept_events()},
                          {"writer", writer_to_json(context.store.commit_times())}});
}

Reply show_integrity(const ApiContext& context, const Call& call) {
  call.query.finish();
  if (!call.actor.admin) {
    throw ProblemError(403, "not_allowed",
                       "only an administrator may ask for a check of the database");
  }
  const auto found =
      context.store.find_damage(/*full=*/true, [&] { return context.watch.closed(); });
  if (context.watch.closed()) throw ProblemError(503, "shutting_down", "the daemon is stopping");
  return json_reply(200, {{"result", found.empty() ? "ok" : "damaged"}, {"findings", found}});
}

Reply show_health(const ApiContext& context, const Call& call) {
  call.query.finish();
  if (context.watch.closed()) throw ProblemError(503, "shutting_down", "the daemon is stopping");
  refuse_copy(context);
  return json_reply(200, {{"status", "ok"}});
}

}  // namespace taskd
