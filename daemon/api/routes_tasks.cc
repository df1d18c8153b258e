#include <nlohmann/json.hpp>

#include "daemon/api/routes.h"
#include "daemon/api/users.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kReadAtOnce = 50;
constexpr std::size_t kMaxPageBytes = 8 << 20;  // a page ends early once it is this long

std::vector<State> take_states(HttpQuery& query) {
  std::vector<State> states;
  for (const std::string& text : query.take_all("state")) {
    std::string_view rest = text;
    for (;;) {
      const auto comma = rest.find(',');
      const auto state = parse_state(rest.substr(0, comma));
      if (!state) bad_query("state", "names no state: " + in_quotes(rest.substr(0, comma)));
      states.push_back(*state);
      if (comma == rest.npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return states;
}

Filter take_filter(HttpQuery& query) {
  Filter filter;
  filter.states = take_states(query);
  filter.queue = query.take("queue");
  filter.name = query.take("name");
  if (const auto user = query.take("user")) {
    filter.uid = find_uid(*user);
    if (!filter.uid) bad_query("user", "names no user: " + in_quotes(*user));
  }
  for (const std::string& label : query.take_all("label")) {
    const auto equals = label.find('=');
    if (equals == label.npos) bad_query("label", "must be key=value");
    filter.labels.emplace_back(label.substr(0, equals), label.substr(equals + 1));
  }
  if (const auto since = query.take("since")) {
    filter.since = parse_rfc3339(*since);
    if (!filter.since) bad_query("since", "must be an RFC 3339 time stamp with its zone");
  }
  return filter;
}

// One text for one list: what a cursor is bound to.
std::string describe(const Filter& filter, bool oldest_first) {
  json list = {oldest_first,
               filter.queue.has_value(),
               filter.queue.value_or(""),
               filter.name.has_value(),
               filter.name.value_or(""),
               filter.uid ? std::int64_t{*filter.uid} : -1,
               filter.since ? filter.since->ms : -1};
  for (const State state : filter.states) list.push_back(to_string(state));
  for (const auto& [key, value] : filter.labels) list.push_back({key, value});
  return list.dump();
}

bool take_oldest_first(HttpQuery& query) {
  const auto order = query.take("order").value_or("newest");
  if (order != "newest" && order != "oldest") bad_query("order", "must be newest or oldest");
  return order == "oldest";
}

Reply page(const std::string& items, const json& next_cursor) {
  Reply reply;
  reply.body = "{\"tasks\":[" + items + "],\"next_cursor\":" + next_cursor.dump() + "}\n";
  return reply;
}

}  // namespace

Reply list_tasks(const ApiContext& context, const Call& call) {
  ListRequest request;
  request.actor = call.actor;
  request.filter = take_filter(call.query);
  request.oldest_first = take_oldest_first(call.query);
  const auto limit = static_cast<std::size_t>(call.query.take_int("limit", 1, 1000, 100));
  const std::string list = describe(request.filter, request.oldest_first);
  if (const auto cursor = call.query.take("cursor")) request.after = parse_cursor(*cursor, list);
  call.query.finish();

  // Read in small pieces: a task may be a megabyte, and a page of them must not be a gigabyte.
  std::string items;
  std::size_t count = 0;
  for (;;) {
    request.limit = static_cast<int>(std::min(limit - count, kReadAtOnce)) + 1;
    std::vector<Task> tasks = context.store.list(request);
    const bool more = tasks.size() == static_cast<std::size_t>(request.limit);
    if (more) tasks.pop_back();  // it only told that this is not the end
    for (const Task& task : tasks) {
      if (items.size() >= kMaxPageBytes) return page(items, make_cursor(*request.after, list));
      if (count++ > 0) items += ',';
      items += dump(task_to_json(task));
      request.after = task.id;
    }
    if (!more) return page(items, nullptr);
    if (count == limit) return page(items, make_cursor(*request.after, list));
  }
}

Reply show_task(const ApiContext& context, const Call& call) {
  call.query.finish();
  const Task task = task_of(context, call);
  Reply reply = json_reply(200, task_to_json(task));
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
  json items = json::array();
  for (const Attempt& attempt : attempts) items.push_back(attempt_to_json(attempt));
  return json_reply(200, {{"attempts", std::move(items)}, {"next_cursor", std::move(next)}});
}

}  // namespace taskd
