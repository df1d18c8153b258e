// What keys, slots, resources and dependencies come to, stated anew and simply: the store's
// histories are compared with it. It knows nothing of rows, indexes or needs written as text.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/flow/fair_share.h"
#include "daemon/store/task_store.h"

namespace taskd {

using Amounts = std::map<std::string, std::int64_t>;  // of "slots" and each resource

struct ModelTask {
  TaskId id = 0;
  TaskSpec spec;
  enum class Phase { waits, held, runs, ended, removed } phase = Phase::waits;
  State end = State::succeeded;  // of one that ended …
  bool doomed = false;           // … for what it depended on
  int lost = 0;
  std::set<TaskId> met;  // of its dependencies those that were met once, or waived by a person

  bool has_ended() const { return phase == Phase::ended || phase == Phase::removed; }
  Amounts needs() const {
    Amounts needs = spec.flow.resources;
    needs["slots"] = spec.flow.slots;
    return needs;
  }
};

class FlowModel {
 public:
  using Phase = ModelTask::Phase;

  FlowModel(Amounts machine, std::map<std::string, int> queues)
      : machine_(std::move(machine)), weights_(std::move(queues)) {
    begin_anew();
  }

  // A daemon starts: what it remembers of turns begins anew.
  void begin_anew() {
    share_ = FairShare();
    passes_.clear();
    front_.reset();
  }

  const std::map<TaskId, ModelTask>& tasks() const { return tasks_; }
  const ModelTask& at(TaskId id) const { return tasks_.at(id); }
  int limit_of(const std::string& key) const { return limits_.at(key); }
  std::vector<TaskId> in(Phase phase) const {
    std::vector<TaskId> ids;
    for (const auto& [id, task] : tasks_) {
      if (task.phase == phase) ids.push_back(id);
    }
    return ids;
  }

  void submit(TaskId id, const NewTask& task) {
    const KeyUse& key = task.spec.flow.key;
    if (key.limit) limits_[key.name] = *key.limit;
    if (!key.name.empty()) limits_.emplace(key.name, kDefaultKeyLimit);
    ModelTask& added = tasks_[id];
    added.id = id;
    added.spec = task.spec;
    added.phase = task.hold ? Phase::held : Phase::waits;
    settle();
  }

  void start(TaskId id) {
    ModelTask& task = tasks_.at(id);
    const std::string& queue = task.spec.queue;
    passes_[queue] = share_.take(passes_[queue], weights_.at(queue));
    task.phase = Phase::runs;
  }

  // Those that end in one commit do so before anybody is told.
  void finish(TaskId id, State end) {
    ModelTask& task = tasks_.at(id);
    task.phase = Phase::ended;
    task.end = end;
  }
  void lose(TaskId id) {
    ModelTask& task = tasks_.at(id);
    if (task.lost++ < task.spec.max_lost) {
      task.phase = Phase::waits;
    } else {
      finish(id, State::failed);
    }
  }

  bool allows(Verb verb, TaskId id) const {
    const Phase phase = tasks_.at(id).phase;
    if (phase == Phase::removed) return false;
    if (verb == Verb::release) return phase == Phase::held;
    const bool ended = phase == Phase::ended;
    return verb == Verb::retry || verb == Verb::remove ? ended : !ended && phase != Phase::runs;
  }
  // As if one after the other, in the order of ids.
  void control(Verb verb, const std::vector<TaskId>& ids) {
    for (const TaskId id : ids) control_one(verb, tasks_.at(id));
    settle();
  }

  // Brings all to what their parents' states mean for them. These have lower ids.
  void settle() {
    for (auto& [id, task] : tasks_) {
      const bool waits = task.phase == Phase::waits || task.phase == Phase::held;
      if (!waits && !(task.phase == Phase::ended && task.doomed)) continue;
      bool broken = false;
      for (const Dependency& on : task.spec.flow.depends_on) {
        if (!task.met.contains(on.task) && is_met(task, on)) task.met.insert(on.task);
        broken |= is_broken(task, on);
      }
      if (broken && waits) doom(task);
      if (!broken && !waits) revive(task);
    }
  }

  bool is_blocked(const ModelTask& task) const {
    return std::ssize(task.met) < std::ssize(task.spec.flow.depends_on);
  }

  // The tasks of a queue that only the machine keeps waiting, the first in line first. Of a key's
  // these are as many as it would let start now.
  std::vector<const ModelTask*> line(const std::string& queue) const {
    std::vector<const ModelTask*> line;
    for (const auto& [id, task] : tasks_) {
      if (task.phase == Phase::waits && task.spec.queue == queue && !is_blocked(task)) {
        line.push_back(&task);
      }
    }
    std::stable_sort(line.begin(), line.end(), [](const ModelTask* a, const ModelTask* b) {
      return a->spec.priority > b->spec.priority;
    });
    std::map<std::string, int> left;
    for (const auto& [key, limit] : limits_) left[key] = limit - running_of(key);
    std::erase_if(line, [&](const ModelTask* task) {
      const std::string& key = task->spec.flow.key.name;
      return !key.empty() && left[key]-- <= 0;
    });
    return line;
  }

  // The rule. Queues take turns, and in each the first in line that fits starts. What does not fit
  // keeps its resources from all behind it; and once it has these, its slots. Of those that need
  // the same in one queue only the first does. Who was once the very first and did not fit, in the
  // queue whose turn it was, comes before all other queues until it starts.
  std::optional<TaskId> next() {
    Amounts left = free();
    if (front_ && first_of(front_->queue) != front_->task) front_.reset();
    if (left.at("slots") == 0) return std::nullopt;
    if (front_) {
      const Amounts needs = tasks_.at(front_->task).needs();
      if (fits(needs, left)) return front_->task;
      keep(needs, left);
    }
    for (const std::string& queue : turns()) {
      std::set<Amounts> kinds;
      for (const ModelTask* task : line(queue)) {
        const Amounts needs = task->needs();
        if (!kinds.insert(needs).second) continue;
        if (front_ && front_->task == task->id) continue;
        if (fits(needs, left)) return task->id;
        if (!front_) front_ = Front{task->id, queue, fronts_++};
        keep(needs, left);
      }
    }
    return std::nullopt;
  }

  // The task for which all others make room.
  struct Front {
    TaskId task;
    std::string queue;
    int number;  // how many were it before
  };
  const std::optional<Front>& front() const { return front_; }
  // Whether nothing but slots is missing.
  bool has_resources(TaskId id) const {
    Amounts needs = tasks_.at(id).needs();
    needs.erase("slots");
    return fits(needs, free());
  }
  Amounts free() const {
    Amounts left = machine_;
    for (const TaskId id : in(Phase::runs)) {
      for (const auto& [what, amount] : tasks_.at(id).needs()) left.at(what) -= amount;
    }
    return left;
  }

 private:
  static bool fits(const Amounts& needs, const Amounts& left) {
    return std::all_of(needs.begin(), needs.end(),
                       [&](const auto& need) { return need.second <= left.at(need.first); });
  }
  static void keep(Amounts needs, Amounts& left) {
    const std::int64_t slots = needs.extract("slots").mapped();
    if (fits(needs, left)) needs["slots"] = slots;
    for (const auto& [what, amount] : needs) {
      left.at(what) = std::max<std::int64_t>(0, left.at(what) - amount);
    }
  }

  std::optional<TaskId> first_of(const std::string& queue) const {
    const std::vector<const ModelTask*> all = line(queue);
    return all.empty() ? std::nullopt : std::optional(all.front()->id);
  }
  std::vector<std::string> turns() {
    std::vector<std::string> names;
    for (const auto& [name, weight] : weights_) names.push_back(name);
    std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) {
      return share_.standing(passes_[a]) < share_.standing(passes_[b]);
    });
    return names;
  }
  int running_of(const std::string& key) const {
    int running = 0;
    for (const TaskId id : in(Phase::runs)) running += tasks_.at(id).spec.flow.key.name == key;
    return running;
  }

  bool is_met(const ModelTask& task, const Dependency& on) const {
    const ModelTask& parent = tasks_.at(on.task);
    if (!parent.has_ended()) return false;
    if (task.spec.flow.on_dependency_failed == OnDependencyFailed::run) return true;
    const bool ok = parent.end == State::succeeded;
    return on.on == DependencyOn::any || (on.on == DependencyOn::ok) == ok;
  }
  bool is_broken(const ModelTask& task, const Dependency& on) const {
    return !task.met.contains(on.task) && tasks_.at(on.task).has_ended() && !is_met(task, on);
  }
  static void doom(ModelTask& task) {
    const bool cancels = task.spec.flow.on_dependency_failed == OnDependencyFailed::cancel;
    task.phase = Phase::ended;
    task.end = cancels ? State::cancelled : State::failed;
    task.doomed = true;
  }
  static void revive(ModelTask& task) {
    task.phase = Phase::waits;
    task.doomed = false;
  }

  void control_one(Verb verb, ModelTask& task) {
    switch (verb) {
      case Verb::hold:
        task.phase = Phase::held;
        break;
      case Verb::release:
        task.phase = Phase::waits;
        break;
      case Verb::cancel:
        finish(task.id, State::cancelled);
        break;
      case Verb::retry:
        settle();  // those before it may have revived it
        if (task.phase == Phase::ended) retry(task);
        break;
      default:
        remove(task);
    }
  }
  // What a person tries again waits for nothing that has ended, and, unless it was a dependency
  // that ended it, for nothing at all.
  void retry(ModelTask& task) {
    for (const Dependency& on : task.spec.flow.depends_on) {
      if (!task.doomed || tasks_.at(on.task).has_ended()) task.met.insert(on.task);
    }
    if (!is_blocked(task)) task.lost = 0;
    revive(task);
  }
  void remove(ModelTask& task) {
    task.phase = Phase::removed;
    const std::string& key = task.spec.flow.key.name;
    const bool used = std::any_of(tasks_.begin(), tasks_.end(), [&](const auto& other) {
      return other.second.phase != Phase::removed && other.second.spec.flow.key.name == key;
    });
    if (!used) limits_.erase(key);
  }

  Amounts machine_;
  std::map<std::string, int> weights_;  // by queue
  std::map<TaskId, ModelTask> tasks_;
  std::map<std::string, int> limits_;  // by key
  FairShare share_;
  std::map<std::string, std::int64_t> passes_;  // by queue
  std::optional<Front> front_;
  int fronts_ = 0;
};

}  // namespace taskd
