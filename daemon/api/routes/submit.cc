#include "daemon/api/request/submit.h"

#include <nlohmann/json.hpp>
#include <span>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/users.h"
#include "daemon/api/request/batch_size.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/clone_task.h"
#include "daemon/api/request/idempotency_key.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/page.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/request/task_rules.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/digest.h"
#include "daemon/base/json_writer.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/spec_merge.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBatch = 10'000;

// The pointer to the fields of task number `index` in the body.
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
      errors.push_back({"#" + pointer_step(name), "cannot be combined with tasks"});
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
    // A task with `like` already has the other task's values.
    const bool is_like = item.is_object() && item.contains("like");
    if (!is_like) apply_defaults(context, pointer, item);
    std::size_t read_bytes = 0;
    auto task = is_like ? clone_task(context, call.actor, item, pointer, read_bytes)
                        : new_task_from_json(item, pointer);
    if (auto* wrong = std::get_if<FieldErrors>(&task)) {
      errors.insert(errors.end(), wrong->begin(), wrong->end());
      tasks.emplace_back();  // keeps the pointers right
    } else {
      tasks.push_back(std::get<NewTask>(std::move(task)));
      size.add(tasks.back(), pointer, read_bytes);
    }
  };
  if (batch) {
    json& items = batch_items(body);
    const auto defaults = body.find("defaults");
    for (json& item : items) {
      if (defaults != body.end() && item.is_object()) fill_in(item, *defaults);
      read_one(item);
      item = nullptr;  // frees it, so that large tasks are not in memory twice
      if (errors.size() > kMaxFieldErrors) break;
    }
  } else {
    read_one(body);
  }
  if (!errors.empty()) invalid_fields("invalid_task", std::move(errors));
  return tasks;
}

// The tasks of an answer. Once it is very long, further tasks have only id and state: the tasks
// exist, so the answer must not fail because of its size. Marks existing tasks that a unique key
// found.
class Answer {
 public:
  Answer(JsonWriter& writer, const Submitted& submitted) : writer_(writer), submitted_(submitted) {}

  // In the order of submitted.ids; tasks in between were removed meanwhile.
  void add(const Task& task) {
    begin(task.id);
    write_task(writer_, task);
    end();
  }
  void add_short(TaskId id, State state) {
    begin(id);
    writer_.member("id", id);
    writer_.member("state", to_string(state));
    end();
  }
  bool is_full() const { return writer_.size() >= kMaxPageBytes; }
  std::span<const TaskId> rest() const { return std::span(submitted_.ids).subspan(at_); }

 private:
  void begin(TaskId id) {
    while (submitted_.ids.at(at_) != id) ++at_;
    writer_.begin('{');
  }
  void end() {
    if (submitted_.any_existing && submitted_.existing.at(at_)) writer_.member("existing", true);
    writer_.end('}');
    ++at_;
  }

  JsonWriter& writer_;
  const Submitted& submitted_;
  std::size_t at_ = 0;
};

void write_submitted(JsonWriter& writer, const Submitted& submitted) {
  Answer answer(writer, submitted);
  for (const Task& task : submitted.tasks) {
    answer.is_full() ? answer.add_short(task.id, task.state) : answer.add(task);
  }
}

// In their current state; skips removed ones.
void write_stored(JsonWriter& writer, const ApiContext& context, const Actor& actor,
                  const Submitted& submitted) {
  Answer answer(writer, submitted);
  std::size_t read_bytes = 0;
  context.store.visit(actor, submitted.ids, [&](const Task& task) {
    answer.add(task);
    read_bytes += text_bytes(task.spec);
    return !answer.is_full() && read_bytes < kMaxReadBytes;
  });
  const std::span<const TaskId> rest = answer.rest();
  const auto states = context.store.states(actor, rest);
  for (const TaskId id : rest) {
    if (const auto found = states.find(id); found != states.end())
      answer.add_short(id, found->second);
  }
}

Reply answer(const ApiContext& context, const Actor& actor, const Submitted& submitted,
             bool batch) {
  constexpr std::size_t kUsualBytes = 1024;  // per task
  JsonWriter writer(submitted.ids.size() * kUsualBytes);
  if (batch) {
    writer.begin('{');
    writer.key("tasks");
    writer.begin('[');
  }
  if (submitted.repeated || submitted.any_existing) {
    write_stored(writer, context, actor, submitted);
  } else {
    write_submitted(writer, submitted);
  }
  if (batch) {
    writer.end(']');
    writer.end('}');
  }
  const std::string id = std::to_string(submitted.ids.front());
  if (writer.size() == 0) {
    throw ProblemError(404, "no_such_task", "task " + id + " was submitted and removed since");
  }
  Reply reply = written_reply(submitted.tasks.empty() ? 200 : 201, writer.take());
  if (!batch) reply.headers.emplace_back("Location", "/v1/tasks/" + id);
  return reply;
}

// Whether the submit takes seconds, during which its thread is not available to others.
bool has_large_array(const SubmitRequest& request) {
  constexpr std::int64_t kManyTasks = 10'000;
  std::int64_t tasks = 0;
  for (const NewTask& task : request.tasks) tasks += task.array ? task.array->count() : 0;
  return tasks > kManyTasks;
}

}  // namespace

Reply submit_tasks(const ApiContext& context, const Call& call) {
  call.query.finish();
  SubmitRequest request;
  request.actor = call.actor;
  json body = parse_body(call.body);
  set_idempotency_key(call, body, request);
  const bool batch = body.contains("tasks");
  request.tasks = read_tasks(context, call, std::move(body), batch);
  BatchSize size(batch ? "batch" : "task", "invalid_request", [](std::int64_t) {});
  for (std::size_t i = 0; i < request.tasks.size(); ++i) {
    check_task(context, call.actor, call.actor.uid, pointer_to(batch, i), request.tasks[i].spec);
    size.add(request.tasks[i], pointer_to(batch, i));
    resolve_dependencies(context, call.actor, pointer_to(batch, i), request.tasks[i], size);
  }

  std::optional<ConnectionPool::StreamSlot> slot;
  if (has_large_array(request)) slot.emplace(call.pool, call.actor, call.turn);
  Submitted submitted =
      submit_or_refuse(context, request, [&](std::size_t i) { return pointer_to(batch, i); });
  for (std::size_t i = 0; i < submitted.tasks.size() && !submitted.any_existing; ++i) {
    submitted.tasks[i].spec = std::move(request.tasks[i].spec);
  }
  return answer(context, call.actor, submitted, batch);
}

}  // namespace taskd
