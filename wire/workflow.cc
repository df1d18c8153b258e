#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "daemon/base/json_writer.h"
#include "daemon/base/text.h"
#include "daemon/limits/topological_order.h"
#include "daemon/task/field_reader.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

// A step as sent: its needs are names.
struct NamedNeed {
  std::string step;
  DependencyOn on = DependencyOn::ok;
};
struct NamedStep {
  std::string name;
  NewTask task;
  std::vector<NamedNeed> needs;
  std::string at;  // its pointer
};

constexpr JsonField<NamedNeed> kNeedFields[] = {
    {"step",
     [](FieldReader& reader, const json& value, const std::string& at, NamedNeed& need) {
       if (const auto* text = reader.string(value, at)) need.step = *text;
     }},
    {"on",
     [](FieldReader& reader, const json& value, const std::string& at, NamedNeed& need) {
       const auto* text = value.get_ptr<const std::string*>();
       const auto on = text != nullptr ? parse_dependency_on(*text) : std::nullopt;
       if (!on) return reader.wrong_type(value, at, "\"ok\", \"any\" or \"failed\"");
       need.on = *on;
     }},
};

NamedNeed read_need(FieldReader& reader, const json& value, const std::string& at) {
  NamedNeed need;
  if (const auto* name = value.get_ptr<const std::string*>()) {
    need.step = *name;
  } else if (!value.is_object()) {
    reader.wrong_type(value, at, "the name of a step or an object");
  } else {
    read_fields(reader, value, at, kNeedFields, need);
    if (!value.contains("step")) reader.complain(at, "\"step\" is needed");
  }
  return need;
}

// The body of POST /v1/workflows, piece by piece.
class WorkflowReader {
 public:
  explicit WorkflowReader(const json& body) : body_(body) {}

  std::variant<NewWorkflow, FieldErrors> read() {
    check_members();
    if (const json* tasks = member("tasks")) read_named(*tasks);
    if (const json* chain = member("chain")) read_chain(*chain);
    if (const json* group = member("group")) read_group(*group, member("then"));
    if (!reader_.ok()) return reader_.take_errors();
    NewWorkflow workflow;
    workflow.name = name_;
    put_in_order(workflow);
    if (!reader_.ok()) return reader_.take_errors();
    return workflow;
  }

 private:
  const json* member(const char* name) const {
    const auto found = body_.find(name);
    return found == body_.end() ? nullptr : &*found;
  }

  void check_members() {
    for (const auto& [key, value] : body_.items()) {
      const std::string at = "#" + pointer_step(key);
      if (key == "name") {
        const auto* text = reader_.string(value, at);
        if (text != nullptr && reader_.plain(*text, at)) name_ = *text;
      } else if (key != "tasks" && key != "chain" && key != "group" && key != "then") {
        reader_.unknown(at, "");
      }
    }
    const int forms =
        (member("tasks") != nullptr) + (member("chain") != nullptr) + (member("group") != nullptr);
    if (forms != 1)
      reader_.complain("#", "exactly one of \"tasks\", \"chain\" and \"group\" is needed");
    if (member("then") != nullptr && member("group") == nullptr)
      reader_.complain("#/then", "comes with \"group\" only");
  }

  bool check_count(std::size_t count, const std::string& at) {
    if (count >= 1 && count <= kMaxSteps) return true;
    reader_.complain(at, "must have 1 to " + std::to_string(kMaxSteps) + " tasks");
    return false;
  }

  // `value` is the task's object, which may contain `needs`.
  NamedStep& add_step(std::string name, json value, const std::string& at, bool may_need) {
    NamedStep& step = steps_.emplace_back();
    step.name = std::move(name);
    step.at = at;
    if (value.is_object() && may_need && value.contains("needs")) {
      read_needs(value.at("needs"), at + "/needs", step);
      value.erase("needs");
    }
    auto task = new_task_from_json(value, at);
    if (auto* errors = std::get_if<FieldErrors>(&task)) {
      for (FieldError& error : *errors) reader_.complain(error.pointer, error.detail);
      return step;
    }
    step.task = std::get<NewTask>(std::move(task));
    if (step.task.array) reader_.complain(at + "/array", "cannot be part of a workflow");
    if (!step.task.spec.constraints.unique.key.empty())
      reader_.complain(at + "/unique", "cannot be part of a workflow");
    return step;
  }

  void read_needs(const json& value, const std::string& at, NamedStep& step) {
    if (!value.is_array()) return reader_.wrong_type(value, at, "an array of steps");
    std::set<std::string> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string place = at + "/" + std::to_string(i);
      step.needs.push_back(read_need(reader_, value[i], place));
      if (!seen.insert(step.needs.back().step).second) reader_.complain(place, "is named twice");
    }
  }

  void read_named(const json& tasks) {
    if (!tasks.is_object()) return reader_.wrong_type(tasks, "#/tasks", "an object of tasks");
    if (!check_count(tasks.size(), "#/tasks")) return;
    for (const auto& [name, value] : tasks.items()) {
      const std::string at = "#/tasks" + pointer_step(name);
      if (name.empty()) reader_.complain(at, "a step's name must not be empty");
      reader_.plain(name, at);
      add_step(name, value, at, /*may_need=*/true);
    }
  }

  void read_chain(const json& chain) {
    if (!chain.is_array()) return reader_.wrong_type(chain, "#/chain", "an array of tasks");
    if (!check_count(chain.size(), "#/chain")) return;
    for (std::size_t i = 0; i < chain.size(); ++i) {
      NamedStep& step = add_step(std::to_string(i + 1), chain[i], "#/chain/" + std::to_string(i),
                                 /*may_need=*/false);
      if (i > 0) step.needs = {{std::to_string(i), DependencyOn::ok}};
    }
  }

  void read_group(const json& group, const json* then) {
    if (!group.is_array()) return reader_.wrong_type(group, "#/group", "an array of tasks");
    if (!check_count(group.size(), "#/group")) return;
    std::vector<NamedNeed> all;
    for (std::size_t i = 0; i < group.size(); ++i) {
      const NamedStep& step = add_step(std::to_string(i + 1), group[i],
                                       "#/group/" + std::to_string(i), /*may_need=*/false);
      all.push_back({step.name, DependencyOn::ok});
    }
    if (then != nullptr) add_step("then", *then, "#/then", /*may_need=*/false).needs = all;
  }

  void put_in_order(NewWorkflow& workflow) {
    std::vector<GraphStep> graph;
    for (const NamedStep& step : steps_) {
      GraphStep& node = graph.emplace_back(GraphStep{step.name, {}});
      for (const NamedNeed& need : step.needs) node.needs.push_back(need.step);
    }
    const auto order = order_steps(graph);
    if (const auto* unknown = std::get_if<UnknownStep>(&order)) {
      const NamedStep& step = steps_[unknown->step];
      return reader_.complain(step.at + "/needs/" + std::to_string(unknown->need),
                              "there is no step " + in_quotes(step.needs[unknown->need].step));
    }
    if (const auto* cycle = std::get_if<Cycle>(&order)) return complain_of(*cycle);
    std::map<std::string, std::size_t> places;
    for (const std::size_t index : std::get<std::vector<std::size_t>>(order)) {
      NamedStep& step = steps_[index];
      places[step.name] = workflow.steps.size();
      WorkflowStep& placed = workflow.steps.emplace_back();
      placed.name = step.name;
      placed.pointer = step.at;
      placed.task = std::move(step.task);
      for (const NamedNeed& need : step.needs)
        placed.needs.push_back({places.at(need.step), need.on});
    }
  }

  void complain_of(const Cycle& cycle) {
    std::string path;
    for (const std::string& step : cycle.steps) path += escape_for_humans(step) + " needs ";
    path += escape_for_humans(cycle.steps.front());
    reader_.complain("#/tasks" + pointer_step(cycle.steps.front()) + "/needs",
                     "the steps need each other in a circle: " + path);
  }

  const json& body_;
  FieldReader reader_;
  std::string name_;
  std::vector<NamedStep> steps_;
};

}  // namespace

std::variant<NewWorkflow, FieldErrors> workflow_from_body(const json& body) {
  return WorkflowReader(body).read();
}

void write_workflow(JsonWriter& writer, const Workflow& workflow) {
  writer.member("id", workflow.id);
  writer.member("uid", workflow.uid);
  writer.member("name", workflow.name);
  writer.member("state", to_string(state_of(workflow)));
  writer.member("created_at", format_rfc3339(workflow.created_at));
  writer.key("counts");
  writer.raw(counts_to_json(workflow.counts).dump());
  writer.member("skipped", workflow.skipped);
}

Workflow workflow_from_json(const json& object) {
  Workflow workflow;
  try {
    workflow.id = object.at("id").get<WorkflowId>();
    workflow.uid = object.at("uid").get<std::uint32_t>();
    workflow.name = object.at("name").get<std::string>();
    const auto created = parse_rfc3339(object.at("created_at").get<std::string>());
    if (!created) throw std::runtime_error("a workflow's \"created_at\" is no time");
    workflow.created_at = *created;
    workflow.skipped = object.value("skipped", workflow.skipped);
    for (const json& task : object.at("tasks")) {
      workflow.tasks.push_back(task_from_json(task));
      ++workflow.counts[static_cast<std::size_t>(workflow.tasks.back().state)];
      workflow.begun |= workflow.tasks.back().attempt > 0;
    }
  } catch (const json::exception& e) {
    throw std::runtime_error(std::string("the answer is no workflow: ") + e.what());
  }
  return workflow;
}

}  // namespace taskd
