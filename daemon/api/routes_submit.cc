#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/api/batch_size.h"
#include "daemon/api/names.h"
#include "daemon/api/page.h"
#include "daemon/api/routes.h"
#include "daemon/api/users.h"
#include "daemon/base/digest.h"
#include "daemon/base/json_writer.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/spec_merge.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBatch = 10'000;
constexpr int kReadBackPage = 1'000;

// Where the fields of task number `index` stand in the body.
std::string pointer_to(bool batch, std::size_t index) {
  return batch ? "#/tasks/" + std::to_string(index) : "#";
}

json& batch_items(json& body) {
  FieldErrors errors;
  for (const auto& [name, value] : body.items()) {
    if (name == "tasks") continue;
    if (name == "defaults") {
      errors = check_defaults(value, "#/defaults");
      if (!errors.empty()) invalid_fields("invalid_task", std::move(errors));
    } else {
      errors.push_back({"#" + pointer_step(name), "is not known beside tasks"});
    }
  }
  json& items = body.at("tasks");
  if (!items.is_array() || items.empty() || items.size() > kMaxBatch) {
    errors.push_back({"#/tasks", "must be an array of 1 to 10,000 tasks"});
  }
  if (!errors.empty()) {
    throw ProblemError(422, "invalid_request", "the batch cannot be read", std::move(errors));
  }
  return items;
}

std::vector<NewTask> read_tasks(const ApiContext& context, const Call& call, json body,
                                bool batch) {
  std::vector<NewTask> tasks;
  FieldErrors errors;
  BatchSize size("batch", "invalid_request", [&](std::int64_t bytes) { call.turn.grow(bytes); });
  const auto read_one = [&](json& item) {
    const std::string pointer = pointer_to(batch, tasks.size());
    // One like another has that one's values already.
    const bool is_like = item.is_object() && item.contains("like");
    if (!is_like) complete_task(context, pointer, item);
    auto task =
        is_like ? task_like(context, call.actor, item, pointer) : new_task_from_json(item, pointer);
    if (auto* wrong = std::get_if<FieldErrors>(&task)) {
      errors.insert(errors.end(), wrong->begin(), wrong->end());
      tasks.emplace_back();  // keeps the pointers right
    } else {
      tasks.push_back(std::get<NewTask>(std::move(task)));
      size.add(tasks.back(), pointer);
    }
  };
  if (batch) {
    json& items = batch_items(body);
    const auto defaults = body.find("defaults");
    for (json& item : items) {
      if (defaults != body.end() && item.is_object()) fill_in(item, *defaults);
      read_one(item);
      item = nullptr;  // large ones are not to be there twice
      if (errors.size() > kMaxFieldErrors) break;
    }
  } else {
    read_one(body);
  }
  if (!errors.empty()) invalid_fields("invalid_task", std::move(errors));
  return tasks;
}

// The tasks, as they are now, but for those that were removed since. In the order of the ids.
std::vector<Task> read_back(const ApiContext& context, const Actor& actor,
                            const std::vector<TaskId>& ids) {
  std::vector<Task> tasks;
  const auto gap =
      std::adjacent_find(ids.begin(), ids.end(), [](TaskId a, TaskId b) { return b != a + 1; });
  if (ids.size() == 1 || gap != ids.end()) {
    for (const TaskId id : ids) {
      if (auto task = context.store.get(actor, id)) tasks.push_back(*std::move(task));
    }
    return tasks;
  }
  ListRequest request;
  request.actor = actor;
  request.oldest_first = true;
  request.after = ids.front() - 1;
  while (tasks.size() < ids.size()) {
    request.limit = std::min(static_cast<int>(ids.size() - tasks.size()), kReadBackPage);
    std::vector<Task> page = context.store.list(request);
    if (page.empty()) break;
    for (Task& task : page) {
      if (task.id > ids.back()) return tasks;
      tasks.push_back(std::move(task));
    }
    request.after = tasks.back().id;
  }
  return tasks;
}

// Each task as an object, and once there are very many bytes of them with its id and state alone: the
// tasks are there, so the answer must not fail for its size. Those that a unique key found instead of submitting them are told apart.
void write_answers(JsonWriter& writer, const std::vector<Task>& tasks, const Submitted& submitted) {
  std::size_t at = 0;  // `tasks` are in the order of the ids, and some may be missing
  for (const Task& task : tasks) {
    while (submitted.ids.at(at) != task.id) ++at;
    writer.begin('{');
    if (writer.size() < kMaxPageBytes) {
      write_task(writer, task);
    } else {
      writer.member("id", task.id);
      writer.member("state", to_string(task.state));
    }
    if (submitted.any_existing && submitted.existing.at(at)) writer.member("existing", true);
    writer.end('}');
    ++at;
  }
}

Reply answer(const std::vector<Task>& tasks, const Submitted& submitted, bool batch) {
  constexpr std::size_t kUsualBytes = 1024;  // of a task
  const int status = submitted.tasks.empty() ? 200 : 201;
  JsonWriter writer(tasks.size() * kUsualBytes);
  if (batch) {
    writer.begin('{');
    writer.key("tasks");
    writer.begin('[');
    write_answers(writer, tasks, submitted);
    writer.end(']');
    writer.end('}');
    return written_reply(status, writer.take());
  }
  const TaskId id = submitted.ids.front();
  if (tasks.empty()) {
    throw ProblemError(404, "no_such_task",
                       "task " + std::to_string(id) + " was submitted and removed since");
  }
  write_answers(writer, tasks, submitted);
  Reply reply = written_reply(status, writer.take());
  reply.headers.emplace_back("Location", "/v1/tasks/" + std::to_string(id));
  return reply;
}

using PointerTo = std::function<std::string(std::size_t)>;

[[noreturn]] void refuse_queue(const UnknownQueue& unknown, const SubmitRequest& request,
                               const PointerTo& pointer_of) {
  std::vector<std::string> pointers;
  for (std::size_t i = 0; i < request.tasks.size() && pointers.size() < kMaxFieldErrors; ++i) {
    if (request.tasks[i].spec.queue == unknown.queue) pointers.push_back(pointer_of(i) + "/queue");
  }
  unknown_queue(unknown.queue, pointers);
}

[[noreturn]] void refuse_hooks(const ApiContext& context, const SubmitRequest& request,
                               const PointerTo& pointer_of) {
  FieldErrors errors;
  for (std::size_t i = 0; i < request.tasks.size() && errors.size() < kMaxFieldErrors; ++i) {
    check_notify(context, pointer_of(i), request.tasks[i].spec.notify, errors);
  }
  invalid_fields("invalid_task", std::move(errors));
}

// Whether the submit takes seconds, in which its thread is missing elsewhere.
bool has_large_array(const SubmitRequest& request) {
  constexpr std::int64_t kManyTasks = 10'000;
  std::int64_t tasks = 0;
  for (const NewTask& task : request.tasks) tasks += task.array ? task.array->count() : 0;
  return tasks > kManyTasks;
}

[[noreturn]] void refuse_dependency(const UnknownDependency& unknown, const PointerTo& pointer_of) {
  // It was there a moment ago, when its name was resolved.
  const std::string detail = "there is no task " + std::to_string(unknown.task) + " any more";
  throw ProblemError(422, "unknown_dependency", detail,
                     {{pointer_of(unknown.index) + "/depends_on", detail}});
}

}  // namespace

void check_needs(const Machine& machine, const std::string& pointer, const TaskSpec& spec) {
  const auto unmet = find_unmet(machine, needs_of(spec.flow));
  if (!unmet) return;
  std::string at = pointer + "/slots";
  std::string detail = "this daemon has " + std::to_string(machine.slots) + " workers";
  if (!unmet->empty()) {
    at = pointer + "/resources/" + *unmet;
    const auto resource = machine.resources.find(*unmet);
    detail = resource == machine.resources.end()
                 ? "no such resource is declared in this daemon's configuration"
                 : "this daemon has " + std::to_string(resource->second.amount) + " of it";
  }
  throw ProblemError(422, "does_not_fit", at + ": " + detail, {{at, detail}});
}

void set_idempotency_key(const Call& call, const json& body, SubmitRequest& request) {
  if (!call.idempotency_key) return;
  request.idempotency_key = checked_key(call);
  request.body_digest = meaning_of(call, body);
  request.bytes_digest = sha256_hex(call.body);
}

Submitted submit_or_refuse(const ApiContext& context, const SubmitRequest& request,
                           const PointerTo& pointer_to) {
  SubmitResult result = context.store.submit(request);
  if (const auto* unknown = std::get_if<UnknownQueue>(&result)) {
    refuse_queue(*unknown, request, pointer_to);
  }
  if (std::holds_alternative<UnknownHook>(result)) refuse_hooks(context, request, pointer_to);
  if (const auto* full = std::get_if<QueueFull>(&result)) queue_full(context, *full);
  if (const auto* gone = std::get_if<UnknownDependency>(&result)) {
    refuse_dependency(*gone, pointer_to);
  }
  if (std::holds_alternative<KeyReused>(result)) {
    throw ProblemError(422, "idempotency_key_reused",
                       "this Idempotency-Key was used for another request");
  }
  return std::get<Submitted>(std::move(result));
}

Reply submit_tasks(const ApiContext& context, const Call& call) {
  call.query.finish();
  SubmitRequest request;
  request.actor = call.actor;
  json body = parse_body(call.body);
  set_idempotency_key(call, body, request);
  const bool batch = body.contains("tasks");
  request.tasks = read_tasks(context, call, std::move(body), batch);
  BatchSize size("batch", "invalid_request", [](std::int64_t) {});
  for (std::size_t i = 0; i < request.tasks.size(); ++i) {
    check_task(context, call.actor, call.actor.uid, pointer_to(batch, i), request.tasks[i].spec);
    resolve_dependencies(context, call.actor, pointer_to(batch, i), request.tasks[i]);
    size.add(request.tasks[i], pointer_to(batch, i));
    size.add_dependencies(request.tasks[i].spec.flow.depends_on.size(), pointer_to(batch, i));
  }

  std::optional<ConnectionPool::StreamSlot> slot;
  if (has_large_array(request)) slot.emplace(call.pool, call.actor, call.turn);
  Submitted submitted =
      submit_or_refuse(context, request, [&](std::size_t i) { return pointer_to(batch, i); });
  if (submitted.repeated || submitted.any_existing) {
    return answer(read_back(context, call.actor, submitted.ids), submitted, batch);
  }
  for (std::size_t i = 0; i < submitted.tasks.size(); ++i) {
    submitted.tasks[i].spec = std::move(request.tasks[i].spec);
  }
  return answer(submitted.tasks, submitted, batch);
}

}  // namespace taskd
