#include "daemon/api/request/names.h"

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/batch_size.h"
#include "daemon/api/request/refusals.h"
#include "daemon/base/text.h"
#include "daemon/task/start_constraints_json.h"
#include "daemon/task/task_name.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxNames = 10'000;

[[noreturn]] void refuse_name(const std::string& pointer, const std::string& detail) {
  if (pointer.starts_with('#')) invalid_request(pointer, detail);
  bad_query(pointer.substr(0, pointer.find('/')), detail);
}

[[noreturn]] void nothing_of(const std::string& what) {
  throw ProblemError(404, "no_such_task", "there is no " + what);
}

// Returns nothing if the actor has no complete array with this id.
std::optional<ArrayInfo> find_array(const ApiContext& context, const Actor& actor, TaskId id) {
  const auto array = context.store.array(actor, id);
  if (array && !array->is_whole()) being_submitted(id);
  return array;
}

void add_indexes(const ApiContext& context, const Actor& actor, const TaskName& name,
                 NamedTasks& out) {
  const auto array = find_array(context, actor, name.first);
  if (!array) nothing_of("array " + std::to_string(name.first));
  const auto [first, last] = *name.indexes;
  const std::int64_t from = std::max(first, array->first_index) - array->first_index;
  const std::int64_t begin = (from + array->step - 1) / array->step;
  const std::int64_t end =
      last < array->first_index ? -1 : (last - array->first_index) / array->step;
  const IdRange ids{array->id + begin, array->id + std::min(end, array->count - 1)};
  const std::string indexes =
      std::to_string(first) + (first == last ? "" : "-" + std::to_string(last));
  if (ids.first > ids.last) {
    nothing_of("index " + indexes + " in array " + std::to_string(array->id));
  }
  if (first != last) return out.ranges.push_back(ids);
  if (!context.store.sees(actor, ids.first)) {
    nothing_of("task " + std::to_string(array->id) + "[" + indexes + "]");
  }
  out.ids.push_back(ids.first);
}

void add(const ApiContext& context, const Actor& actor, TaskName name, NamedTasks& out) {
  if (name.newest) {
    const auto newest = context.store.last(actor);
    if (!newest) throw ProblemError(404, "no_such_task", "you have no task yet");
    name.first = name.last = *newest;
  }
  if (name.indexes) return add_indexes(context, actor, name, out);
  if (name.is_range()) {
    const IdRange ids{name.first, name.last};
    if (!context.store.sees_any(actor, ids)) {
      nothing_of("task from " + std::to_string(ids.first) + " to " + std::to_string(ids.last));
    }
    return out.ranges.push_back(ids);
  }
  if (const auto array = find_array(context, actor, name.first)) {
    return out.ranges.push_back({array->id, array->last_id()});
  }
  if (!context.store.sees(actor, name.first)) no_such_task(name.first);
  out.ids.push_back(name.first);
}

std::vector<TaskId> read_ids(const json& value) {
  if (!value.is_array() || value.empty() || value.size() > kMaxNames) {
    invalid_request("#/ids", "must be an array of 1 to 10,000 ids");
  }
  std::vector<TaskId> ids;
  for (const json& item : value) {
    const bool fits =
        item.is_number_integer() && item >= 1 && item <= std::numeric_limits<TaskId>::max();
    if (!fits) invalid_request("#/ids/" + std::to_string(ids.size()), "must be a positive integer");
    ids.push_back(item.get<TaskId>());
  }
  return ids;
}

}  // namespace

std::vector<IdRange> NamedTasks::all() const {
  std::vector<IdRange> sorted = ranges;
  for (const TaskId id : ids) sorted.push_back({id, id});
  std::sort(sorted.begin(), sorted.end(),
            [](const IdRange& a, const IdRange& b) { return a.first < b.first; });
  std::vector<IdRange> all;
  for (const IdRange& one : sorted) {
    if (all.empty() || one.first > all.back().last) {
      all.push_back(one);
    } else {
      all.back().last = std::max(all.back().last, one.last);
    }
  }
  return all;
}

NamedTasks resolve_names(const ApiContext& context, const Actor& actor, const json& words,
                         const std::string& pointer) {
  if (!words.is_array() || words.empty() || words.size() > kMaxNames) {
    refuse_name(pointer, "must be an array of 1 to 10,000 names of tasks");
  }
  NamedTasks named;
  std::size_t at = 0;
  for (const json& word : words) {
    const auto* text = word.get_ptr<const std::string*>();
    const auto name = text != nullptr ? parse_task_name(*text) : std::nullopt;
    if (!name) {
      refuse_name(pointer + "/" + std::to_string(at),
             "names no task: it is \"12\", \"12-20\", \"12[3]\" or \"last\"");
    }
    add(context, actor, *name, named);
    ++at;
  }
  return named;
}

TaskId resolve_name(const ApiContext& context, const Actor& actor, std::string_view name) {
  const NamedTasks named =
      resolve_names(context, actor, json::array({std::string(name)}), "#/tasks");
  if (named.ranges.empty()) return named.ids.front();
  const std::string array = std::to_string(named.ranges.front().first);
  throw ProblemError(409, "names_an_array",
                     array + " is an array; name one of its tasks, by index as in " + array +
                         "[1], or by id");
}

namespace {

class DependencyResolver {
 public:
  DependencyResolver(const ApiContext& context, const Actor& actor, const std::string& pointer,
                     BatchSize& size)
      : context_(context), actor_(actor), pointer_(pointer + "/depends_on"), size_(size) {}

  void add(const NamedDependency& one) {
    try {
      const NamedTasks named =
          resolve_names(context_, actor_, json::array({one.tasks}), "#/tasks");
      size_.add_dependencies(named.ids.size(), pointer_);
      for (const TaskId id : named.ids) {
        if (one.array && one.tasks.find('[') == one.tasks.npos) nothing_of("array " + one.tasks);
        add(id, one.on, false);
      }
      for (const IdRange& range : named.ranges) add_range(range, one);
    } catch (const ProblemError& error) {
      if (error.problem.status != 404) throw;
      refuse("unknown_dependency", error.problem.detail);
    }
  }
  void next() { ++place_; }
  std::vector<Dependency> take() { return std::move(all_); }

 private:
  [[noreturn]] void refuse(const std::string& code, const std::string& detail) const {
    throw ProblemError(422, code, detail,
                       {{pointer_ + "/" + std::to_string(place_), detail}});
  }

  // A whole array within the range is one dependency, however many tasks it has.
  void add_range(const IdRange& range, const NamedDependency& one) {
    const auto upstreams = context_.store.upstreams(actor_, range, kMaxDependencies + 1);
    size_.add_dependencies(upstreams.found.size(), pointer_);
    for (const Dependency& found : upstreams.found) add(found.task, one.on, found.whole_array);
    if (upstreams.unfinished) being_submitted(*upstreams.unfinished);
    if (upstreams.missing) no_such_task(*upstreams.missing);
  }

  void add(TaskId id, DependencyOn on, bool whole_array) {
    const auto [earlier, is_new] = seen_.emplace(std::pair(id, whole_array), on);
    if (!is_new && earlier->second != on) {
      refuse("invalid_task", "task " + std::to_string(id) + " is named twice");
    }
    if (!is_new) return;
    if (all_.size() == kMaxDependencies) {
      refuse("invalid_task", "a task depends on at most " + std::to_string(kMaxDependencies) +
                                 " others; a whole array counts once");
    }
    all_.push_back({id, on, whole_array});
  }

  const ApiContext& context_;
  const Actor& actor_;
  const std::string pointer_;  // of depends_on
  BatchSize& size_;
  std::size_t place_ = 0;
  std::vector<Dependency> all_;
  std::map<std::pair<TaskId, bool>, DependencyOn> seen_;
};

}  // namespace

void resolve_dependencies(const ApiContext& context, const Actor& actor,
                          const std::string& pointer, NewTask& task, BatchSize& size) {
  StartConstraints& constraints = task.spec.constraints;
  if (constraints.named.empty()) return;
  DependencyResolver resolver(context, actor, pointer, size);
  for (const NamedDependency& one : constraints.named) {
    resolver.add(one);
    resolver.next();
  }
  constraints.named.clear();
  constraints.depends_on = resolver.take();
  const auto rows =
      static_cast<std::int64_t>(1 + constraints.depends_on.size() + task.spec.labels.size());
  if (task.array && task.array->count() > kMaxArrayRows / rows) {
    const std::string detail = "is too large for so many dependencies";
    throw ProblemError(422, "invalid_task", pointer + "/array: " + detail,
                       {{pointer + "/array", detail}});
  }
}

NamedTasks read_named(const ApiContext& context, const Actor& actor, const json& body) {
  const auto ids = body.find("ids");
  const auto words = body.find("tasks");
  if ((ids == body.end()) == (words == body.end())) {
    invalid_request("#", "needs exactly one of ids and tasks");
  }
  if (words != body.end()) return resolve_names(context, actor, *words, "#/tasks");
  NamedTasks named;
  named.ids = read_ids(*ids);
  return named;
}

TaskId task_id_of(const ApiContext& context, const Call& call) {
  if (call.parameter != "last") return parse_task_id(call.parameter);
  return resolve_name(context, call.actor, "last");
}

Task task_of(const ApiContext& context, const Call& call) {
  const TaskId id = task_id_of(context, call);
  auto task = context.store.get(call.actor, id);
  if (!task) no_such_task(id);
  return *std::move(task);
}

}  // namespace taskd
