#include <nlohmann/json.hpp>

#include "daemon/api/request/batch_size.h"
#include "daemon/api/request/filter.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/page.h"
#include "daemon/api/request/task_reply.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/json_writer.h"

namespace taskd {
namespace {

using nlohmann::json;

bool take_oldest_first(HttpQuery& query) {
  const auto order = query.take("order").value_or("newest");
  if (order != "newest" && order != "oldest") bad_query("order", "must be newest or oldest");
  return order == "oldest";
}

}  // namespace

Reply list_tasks(const ApiContext& context, const Call& call) {
  ListRequest request;
  request.actor = call.actor;
  const json words = take_filter(call.query);
  request.filter = filter_of_query(context, call.actor, words);
  request.oldest_first = take_oldest_first(call.query);
  const auto limit = static_cast<std::size_t>(call.query.take_int("limit", 1, 1000, 100));
  // The text that identifies a list; cursors are bound to it.
  const std::string list = json{request.oldest_first, words}.dump();
  if (const auto cursor = call.query.take("cursor")) request.after = parse_cursor(*cursor, list);
  call.query.finish();

  request.within = context.store.ids_of(request.filter);
  Page page("tasks");
  return page.finish(add_tasks(context, request, limit, list, page));
}

Reply show_task(const ApiContext& context, const Call& call) {
  call.query.finish();
  const Task task = task_of(context, call);
  JsonWriter writer;
  writer.begin('{');
  write_task(writer, task);
  if (!task.spec.handler.empty()) {
    writer.key("payload");
    task.spec.payload.empty() ? writer.null() : writer.raw(task.spec.payload);
  }
  writer.end('}');
  Reply reply = written_reply(200, writer.take());
  reply.headers.emplace_back("ETag", etag_of(task));
  return reply;
}

Reply show_attempts(const ApiContext& context, const Call& call) {
  const auto limit = static_cast<std::size_t>(call.query.take_int("limit", 1, 1000, 100));
  const auto cursor = call.query.take("cursor");
  call.query.finish();
  const Task task = task_of(context, call);
  const std::string list = "attempts of " + std::to_string(task.id);
  const auto after = static_cast<int>(cursor ? parse_cursor(*cursor, list) : 0);
  std::vector<Attempt> attempts =
      context.store.attempts(task.id, after, static_cast<int>(limit) + 1);
  json next = nullptr;
  if (attempts.size() > limit) {
    attempts.pop_back();
    next = make_cursor(attempts.back().number, list);
  }
  Page page("attempts");
  for (const Attempt& attempt : attempts) page.add(write_attempt, attempt);
  return page.finish(next);
}

}  // namespace taskd
