// Which task starts next, stated anew and simply: by queues and their turns, keys, slots, resources
// and dependencies. The store's histories are compared with it. It knows nothing of rows, indexes
// or needs written as text.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/limits/fair_share.h"
#include "tests/unit/store/limits_model_amounts.h"
#include "tests/unit/store/limits_model_tasks.h"

namespace taskd {

class LimitsModel {
 public:
  using Phase = ModelTask::Phase;

  LimitsModel(Amounts machine, const std::vector<std::string>& queues, std::int64_t now)
      : now_ms(now), machine_(std::move(machine)) {
    for (const std::string& name : queues) queues_[name] = {};
  }

  // A daemon starts: what it remembers of turns begins anew.
  void begin_anew() {
    share_ = FairShare();
    for (auto& [name, queue] : queues_) queue.pass = 0;
    front_.reset();
  }

  const ModelTasks& tasks() const { return tasks_; }
  const std::map<std::string, ModelQueue>& queues() const { return queues_; }
  ModelQueue& queue(const std::string& name) { return queues_.at(name); }
  const std::map<std::string, ModelLimits>& keys() const { return keys_; }
  ModelLimits& key(const std::string& name) { return keys_.at(name); }

  void submit(TaskId id, const NewTask& task) {
    use_key(task.spec.constraints.key);
    tasks_.submit(id, task, now_ms);
  }
  void start(TaskId id) {
    ModelTask& task = tasks_.at(id);
    ModelQueue& queue = queues_.at(task.spec.queue);
    queue.pass = share_.take(queue.pass, queue.weight);
    queue.limits.starts.take(now_ms);
    const std::string& key = task.spec.constraints.key.name;
    if (!key.empty()) keys_.at(key).starts.take(now_ms);
    task.phase = Phase::runs;
  }
  void end(TaskId id, const Outcome& outcome) { tasks_.end(id, outcome, now_ms); }
  void settle() { tasks_.settle(now_ms); }
  void control(Verb verb, const std::vector<TaskId>& ids) {
    tasks_.control(verb, ids, now_ms);
    forget_unused_keys();
  }
  // Of one that waits.
  void edit(TaskId id, const TaskSpec& spec) {
    ModelTask& task = tasks_.at(id);
    if (task.spec.constraints.key != spec.constraints.key) use_key(spec.constraints.key);
    task.spec = spec;
    forget_unused_keys();
  }

  // The tasks of a queue that only the queue's own limits and the machine keep waiting, the first
  // in line first. Of a key's these are as many as it would let start now.
  std::vector<const ModelTask*> line(const std::string& queue) const {
    std::vector<const ModelTask*> line;
    for (const auto& [id, task] : tasks_.all()) {
      const bool waits = task.phase == Phase::waits && !task.is_blocked() && task.due_ms <= now_ms;
      if (waits && task.spec.queue == queue) line.push_back(&task);
    }
    std::stable_sort(line.begin(), line.end(), [](const ModelTask* a, const ModelTask* b) {
      return a->spec.priority > b->spec.priority;
    });
    std::map<std::string, std::int64_t> left;
    for (const auto& [key, limits] : keys_) left[key] = limits.left(running_of_key(key), now_ms);
    std::erase_if(line, [&](const ModelTask* task) {
      const std::string& key = task->spec.constraints.key.name;
      return !key.empty() && left[key]-- <= 0;
    });
    return line;
  }
  // Whether the queue's own limits let one more start.
  bool may_start(const std::string& name) const {
    const ModelQueue& queue = queues_.at(name);
    return !queue.paused && queue.limits.left(running_in(name), now_ms) > 0;
  }

  // The rule. Queues take turns, and in each the first in line that fits starts. What does not fit
  // keeps its resources from all behind it; and once it has these, its slots. Of those that need
  // the same in one queue only the first does. Who was once the very first and did not fit, in the
  // queue whose turn it was, comes before all other queues until it starts, or its queue may start
  // none.
  std::optional<TaskId> next() {
    Amounts left = free();
    if (front_ && !(may_start(front_->queue) && first_of(front_->queue) == front_->task)) {
      front_.reset();
    }
    if (left.at("slots") == 0) return std::nullopt;
    if (front_) {
      const Amounts demand = tasks_.at(front_->task).demand();
      if (fits(demand, left)) return front_->task;
      keep(demand, left);
    }
    for (const std::string& queue : turns()) {
      std::set<Amounts> kinds;
      for (const ModelTask* task : line(queue)) {
        const Amounts demand = task->demand();
        if (!kinds.insert(demand).second) continue;
        if (front_ && front_->task == task->id) continue;
        if (fits(demand, left)) return task->id;
        if (!front_) front_ = Front{task->id, queue, fronts_++};
        keep(demand, left);
      }
    }
    return std::nullopt;
  }
  // When a queue's rate alone will let one more start.
  std::optional<std::int64_t> next_later_ms() const {
    std::optional<std::int64_t> first;
    for (const auto& [name, queue] : queues_) {
      const ModelStarts& starts = queue.limits.starts;
      const auto& limit = queue.limits.running;
      const bool full = queue.paused || (limit && running_in(name) >= *limit);
      if (full || starts.left(now_ms) > 0 || line(name).empty()) continue;
      const std::int64_t at = starts.next_at(now_ms);
      first = std::min(first.value_or(at), at);
    }
    return first;
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
    Amounts demand = tasks_.at(id).demand();
    demand.erase("slots");
    return fits(demand, free());
  }
  Amounts free() const {
    Amounts left = machine_;
    for (const TaskId id : tasks_.in(Phase::runs)) {
      for (const auto& [what, amount] : tasks_.at(id).demand()) left.at(what) -= amount;
    }
    return left;
  }

  std::int64_t now_ms;

 private:
  static bool fits(const Amounts& demand, const Amounts& left) {
    return std::all_of(demand.begin(), demand.end(),
                       [&](const auto& need) { return need.second <= left.at(need.first); });
  }
  static void keep(Amounts demand, Amounts& left) {
    const std::int64_t slots = demand.extract("slots").mapped();
    if (fits(demand, left)) demand["slots"] = slots;
    for (const auto& [what, amount] : demand) {
      left.at(what) = std::max<std::int64_t>(0, left.at(what) - amount);
    }
  }

  std::optional<TaskId> first_of(const std::string& queue) const {
    const std::vector<const ModelTask*> all = line(queue);
    return all.empty() ? std::nullopt : std::optional(all.front()->id);
  }
  std::vector<std::string> turns() const {
    std::vector<std::string> names;
    for (const auto& [name, queue] : queues_) {
      if (may_start(name)) names.push_back(name);
    }
    std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) {
      return share_.standing(queues_.at(a).pass) < share_.standing(queues_.at(b).pass);
    });
    return names;
  }

  int running_in(const std::string& queue) const {
    int running = 0;
    for (const TaskId id : tasks_.in(Phase::runs)) running += tasks_.at(id).spec.queue == queue;
    return running;
  }
  int running_of_key(const std::string& key) const {
    int running = 0;
    for (const TaskId id : tasks_.in(Phase::runs)) {
      running += tasks_.at(id).spec.constraints.key.name == key;
    }
    return running;
  }

  // What a submit does not name stays; one that names no limit of a new key has the usual one.
  void use_key(const KeyUse& use) {
    if (use.name.empty()) return;
    const auto [key, is_new] = keys_.try_emplace(use.name);
    ModelLimits& limits = key->second;
    if (is_new && !use.limit && !use.rate) limits.running = kDefaultKeyLimit;
    if (use.limit) limits.running = use.limit;
    if (use.rate) limits.starts.rate = use.rate;
  }
  void forget_unused_keys() {
    std::erase_if(keys_, [&](const auto& key) {
      return std::none_of(tasks_.all().begin(), tasks_.all().end(), [&](const auto& task) {
        return task.second.phase != Phase::removed &&
               task.second.spec.constraints.key.name == key.first;
      });
    });
  }

  const Amounts machine_;
  ModelTasks tasks_;
  std::map<std::string, ModelQueue> queues_;
  std::map<std::string, ModelLimits> keys_;
  FairShare share_;
  std::optional<Front> front_;
  int fronts_ = 0;
};

}  // namespace taskd
