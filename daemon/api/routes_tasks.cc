#include <nlohmann/json.hpp>

#include "daemon/api/filter.h"
#include "daemon/api/routes.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kReadAtOnce = 50;
constexpr std::size_t kMaxPageBytes = 8 << 20;  // a page ends early once it is this long

bool take_oldest_first(HttpQuery& query) {
  const auto order = query.take("order").value_or("newest");
  if (order != "newest" && order != "oldest") bad_query("order", "must be newest or oldest");
  return order == "oldest";
}

Reply page(const std::string& name, const std::string& items, const json& next_cursor) {
  return written_reply(
      200, "{\"" + name + "\":[" + items + "],\"next_cursor\":" + next_cursor.dump() + "}");
}

}  // namespace

Reply list_tasks(const ApiContext& context, const Call& call) {
  ListRequest request;
  request.actor = call.actor;
  const json words = take_filter(call.query);
  request.filter = filter_of_query(context, call.actor, words);
  request.oldest_first = take_oldest_first(call.query);
  const auto limit = static_cast<std::size_t>(call.query.take_int("limit", 1, 1000, 100));
  // One text for one list: what a cursor is bound to.
  const std::string list = json{request.oldest_first, words}.dump();
  if (const auto cursor = call.query.take("cursor")) request.after = parse_cursor(*cursor, list);
  call.query.finish();

  request.within = context.store.ids_of(request.filter);
  // Read in small pieces: a task may be a megabyte, and a page of them must not be a gigabyte.
  std::string items;
  std::size_t count = 0;
  for (;;) {
    request.limit = static_cast<int>(std::min(limit - count, kReadAtOnce)) + 1;
    std::vector<Task> tasks = context.store.list(request);
    const bool more = tasks.size() == static_cast<std::size_t>(request.limit);
    if (more) tasks.pop_back();  // it only told that this is not the end
    for (const Task& task : tasks) {
      if (items.size() >= kMaxPageBytes)
        return page("tasks", items, make_cursor(*request.after, list));
      if (count++ > 0) items += ',';
      items += task_to_text(task);
      request.after = task.id;
    }
    if (!more) return page("tasks", items, nullptr);
    if (count == limit) return page("tasks", items, make_cursor(*request.after, list));
  }
}

Reply show_task(const ApiContext& context, const Call& call) {
  call.query.finish();
  const Task task = task_of(context, call);
  Reply reply = written_reply(200, task_to_text(task, payload_member(task)));
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
  std::string items;
  for (const Attempt& attempt : attempts) {
    if (!items.empty()) items += ',';
    items += attempt_to_text(attempt);
  }
  return page("attempts", items, next);
}

}  // namespace taskd
