#include "ctl/view/workflow_view.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "ctl/base/failure.h"
#include "ctl/net/http.h"
#include "ctl/view/outcome.h"
#include "daemon/base/text.h"
#include "wire/wire.h"

namespace taskd::ctl {
namespace {

// Tasks are ordered by id, so a task's needs come before it.
class Tree {
 public:
  Tree(const Workflow& workflow, const Painter& paint, bool unicode)
      : tasks_(workflow.tasks), skipped_(workflow.skipped), paint_(paint), unicode_(unicode) {
    for (std::size_t i = 0; i < tasks_.size(); ++i) places_[tasks_[i].id] = i;
    children_.resize(tasks_.size() + 1);
    for (std::size_t i = 0; i < tasks_.size(); ++i) children_[parent_of(i)].push_back(i);
  }

  std::vector<std::string> draw() {
    for (const std::size_t root : children_.back()) {
      lines_.push_back(text_of(root));
      draw_children(root, "");
    }
    return std::move(lines_);
  }

 private:
  // The last of its needs, or one past the end.
  std::size_t parent_of(std::size_t task) const {
    std::size_t parent = tasks_.size();
    for (const Dependency& need : tasks_[task].spec.constraints.depends_on) {
      const auto place = places_.find(need.task);
      if (place == places_.end() || need.whole_array) continue;
      if (parent == tasks_.size() || place->second > parent) parent = place->second;
    }
    return parent;
  }

  void draw_children(std::size_t task, const std::string& indent) {
    const std::vector<std::size_t>& children = children_[task];
    for (std::size_t i = 0; i < children.size(); ++i) {
      const bool last = i + 1 == children.size();
      const std::string_view branch = unicode_ ? (last ? "└─ " : "├─ ") : (last ? "`- " : "|- ");
      const std::string_view below = last ? "   " : unicode_ ? "│  " : "|  ";
      lines_.push_back(indent + std::string(branch) + text_of(children[i]));
      draw_children(children[i], indent + std::string(below));
    }
  }

  std::string step_of(const Task& task) const {
    return task.workflow ? escape_for_humans(task.workflow->step) : std::to_string(task.id);
  }

  std::string text_of(std::size_t place) const {
    const Task& task = tasks_[place];
    std::string state(task.cancel_requested_at && task.state == State::running
                          ? "stopping"
                          : to_string(task.state));
    if (task.state == State::failed && task.reason)
      state += " (" + std::string(to_string(*task.reason)) + ")";
    if (std::binary_search(skipped_.begin(), skipped_.end(), task.id)) state = "skipped";
    std::string text = step_of(task) + "  " + paint_(color_of(task.state), state) +
                       paint_(Color::dim, "  #" + std::to_string(task.id));
    const std::string others = other_needs(place);
    return others.empty() ? text : text + paint_(Color::dim, "  needs " + others);
  }

  // The needs other than its parent in the tree, with their conditions unless these are the
  // default.
  std::string other_needs(std::size_t place) const {
    const std::size_t parent = parent_of(place);
    std::string text;
    for (const Dependency& need : tasks_[place].spec.constraints.depends_on) {
      const auto found = places_.find(need.task);
      const bool is_parent = found != places_.end() && found->second == parent;
      if (is_parent && need.on == DependencyOn::ok) continue;
      if (!text.empty()) text += ", ";
      text += found == places_.end() || need.whole_array ? "#" + std::to_string(need.task)
                                                         : step_of(tasks_[found->second]);
      if (need.on != DependencyOn::ok) text += ":" + std::string(to_string(need.on));
    }
    return text;
  }

  const std::vector<Task>& tasks_;
  const std::vector<TaskId>& skipped_;
  const Painter& paint_;
  const bool unicode_;
  std::map<TaskId, std::size_t> places_;
  // By task; the last entry holds tasks without needs.
  std::vector<std::vector<std::size_t>> children_;
  std::vector<std::string> lines_;
};

}  // namespace

void drop_skipped(const Client& client, WorkflowId id, std::vector<nlohmann::json>& ended) {
  nlohmann::json answer;
  try {
    answer = client.get("/v1/workflows/" + std::to_string(id) + "?limit=1");
  } catch (const Failure& failure) {
    if (failure.exit_code == kExitNoSuchTask) return;  // it was removed meanwhile
    throw;
  }
  const std::vector<TaskId> skipped = read_workflow(answer).skipped;
  std::erase_if(ended, [&](const nlohmann::json& task) {
    return std::binary_search(skipped.begin(), skipped.end(), task.at("id").get<TaskId>());
  });
}

nlohmann::json with_all_tasks(const Client& client, nlohmann::json answer) {
  try {
    const std::string target = "/v1/workflows/" + std::to_string(answer.at("id").get<WorkflowId>());
    while (answer.at("next_cursor").is_string()) {
      nlohmann::json page =
          client.get(target + "?cursor=" +
                     percent_encode(answer.at("next_cursor").get_ref<const std::string&>()));
      for (nlohmann::json& task : page.at("tasks")) answer.at("tasks").push_back(std::move(task));
      answer["next_cursor"] = std::move(page.at("next_cursor"));
    }
  } catch (const nlohmann::json::exception&) {
    throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's answer");
  }
  answer.erase("next_cursor");
  return answer;
}

Workflow read_workflow(const nlohmann::json& answer) {
  try {
    return workflow_from_json(answer);
  } catch (const std::runtime_error& e) {
    throw Failure(kExitBadAnswer, std::string("the daemon's answer cannot be read: ") + e.what());
  }
}

std::vector<std::string> draw_workflow(const Workflow& workflow, const Painter& paint,
                                       bool unicode) {
  return Tree(workflow, paint, unicode).draw();
}

bool is_utf8_locale(const char* lc_all, const char* lc_ctype, const char* lang) {
  for (const char* value : {lc_all, lc_ctype, lang}) {
    if (value == nullptr || *value == '\0') continue;
    const std::string_view name(value);
    return name.find("UTF-8") != name.npos || name.find("utf8") != name.npos;
  }
  return false;
}

}  // namespace taskd::ctl
