// What submits, ends, verbs, retries and dependencies make of tasks, stated anew and simply.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/store/task_store.h"

namespace taskd {

using Amounts = std::map<std::string, std::int64_t>;  // of "slots" and each resource

struct ModelTask {
  TaskId id = 0;
  TaskSpec spec;
  enum class Phase { waits, held, runs, ended, removed } phase = Phase::waits;
  std::int64_t due_ms = 0;        // starts no earlier
  State end = State::succeeded;   // of one that ended …
  bool by_links = false;          // … because of what it depended on
  std::int64_t ended_ms = 0;      // … then
  std::vector<std::string> ends;  // all of them: each is an event, and news for hooks
  int tries = 0;
  int lost = 0;
  std::set<TaskId> met;  // of its dependencies those that were met once, or waived by a person

  // When the pruner may take one that ended.
  std::int64_t prune_ms() const {
    constexpr std::int64_t kMinKeepMs = 10'000;
    return ended_ms + std::max(spec.keep_ms, kMinKeepMs);
  }
  bool has_ended() const { return phase == Phase::ended || phase == Phase::removed; }
  bool waits() const { return phase == Phase::waits || phase == Phase::held; }
  bool is_blocked() const { return std::ssize(met) < std::ssize(spec.constraints.depends_on); }
  Amounts demand() const {
    Amounts demand = spec.constraints.resources;
    demand["slots"] = spec.constraints.slots;
    return demand;
  }
};

class ModelTasks {
 public:
  using Phase = ModelTask::Phase;

  const std::map<TaskId, ModelTask>& all() const { return tasks_; }
  const ModelTask& at(TaskId id) const { return tasks_.at(id); }
  ModelTask& at(TaskId id) { return tasks_.at(id); }
  std::vector<TaskId> in(Phase phase) const {
    std::vector<TaskId> ids;
    for (const auto& [id, task] : tasks_) {
      if (task.phase == phase) ids.push_back(id);
    }
    return ids;
  }

  void submit(TaskId id, const NewTask& task, std::int64_t now_ms) {
    ModelTask& added = tasks_[id];
    added.id = id;
    added.spec = task.spec;
    added.phase = task.hold ? Phase::held : Phase::waits;
    if (task.delay_ms) added.due_ms = now_ms + *task.delay_ms;
    settle(now_ms);
  }

  // Those that end in one commit do so before anybody is told: settle() is to follow.
  void end(TaskId id, const Outcome& outcome, std::int64_t now_ms) {
    ModelTask& task = tasks_.at(id);
    task.due_ms = 0;
    if (outcome.kind == OutcomeKind::lost) {
      if (task.lost++ < task.spec.max_lost) return wait_again(task);
      return finish(task, State::failed, now_ms);
    }
    if (outcome.code == 0) return finish(task, State::succeeded, now_ms);
    if (++task.tries >= task.spec.max_attempts) return finish(task, State::failed, now_ms);
    task.due_ms = now_ms + task.spec.backoff.initial_ms;
    wait_again(task);
  }

  bool allows(Verb verb, TaskId id) const {
    const ModelTask& task = tasks_.at(id);
    if (verb == Verb::release) return task.phase == Phase::held;
    if (verb == Verb::retry || verb == Verb::remove) return task.phase == Phase::ended;
    return task.waits();
  }
  // As if one after the other, in the order of ids.
  void control(Verb verb, const std::vector<TaskId>& ids, std::int64_t now_ms) {
    for (const TaskId id : ids) control_one(verb, tasks_.at(id), now_ms);
    settle(now_ms);
  }

  // Brings all to what their parents' states mean for them. These have lower ids.
  void settle(std::int64_t now_ms) {
    for (auto& [id, task] : tasks_) {
      if (!task.waits() && !(task.phase == Phase::ended && task.by_links)) continue;
      bool broken = false;
      for (const Dependency& on : task.spec.constraints.depends_on) {
        if (!task.met.contains(on.task) && is_met(task, on)) task.met.insert(on.task);
        broken |= is_broken(task, on);
      }
      if (broken && task.waits()) end_by_links(task, now_ms);
      if (!broken && !task.waits()) wait_again(task);
    }
  }

 private:
  bool is_met(const ModelTask& task, const Dependency& on) const {
    const ModelTask& parent = tasks_.at(on.task);
    if (!parent.has_ended()) return false;
    if (task.spec.constraints.on_dependency_failed == OnDependencyFailed::run) return true;
    const bool ok = parent.end == State::succeeded;
    return on.on == DependencyOn::any ||
           (on.on == DependencyOn::ok ? ok : !ok && !is_skipped(parent));
  }
  bool is_broken(const ModelTask& task, const Dependency& on) const {
    return !task.met.contains(on.task) && tasks_.at(on.task).has_ended() && !is_met(task, on);
  }

  static void finish(ModelTask& task, State end, std::int64_t now_ms) {
    task.phase = Phase::ended;
    task.end = end;
    task.ended_ms = now_ms;
    task.ends.push_back(std::string(to_string(end)) + ' ' + std::to_string(now_ms));
  }
  // For what it depended on: nothing that waits for it is told of a failure.
  static bool is_skipped(const ModelTask& task) {
    return task.by_links && task.end == State::cancelled;
  }
  bool lacks_a_success(const ModelTask& task) const {
    const auto& on = task.spec.constraints.depends_on;
    return std::any_of(on.begin(), on.end(), [&](const Dependency& one) {
      return one.on == DependencyOn::ok && is_broken(task, one) && !is_skipped(tasks_.at(one.task));
    });
  }
  void end_by_links(ModelTask& task, std::int64_t now_ms) const {
    const bool cancels = task.spec.constraints.on_dependency_failed == OnDependencyFailed::cancel ||
                         !lacks_a_success(task);
    finish(task, cancels ? State::cancelled : State::failed, now_ms);
    task.by_links = true;
  }
  static void wait_again(ModelTask& task) {
    task.phase = Phase::waits;
    task.by_links = false;
  }

  void control_one(Verb verb, ModelTask& task, std::int64_t now_ms) {
    switch (verb) {
      case Verb::hold:
        task.phase = Phase::held;
        break;
      case Verb::release:
        task.phase = Phase::waits;
        break;
      case Verb::cancel:
        finish(task, State::cancelled, now_ms);
        break;
      case Verb::retry:
        settle(now_ms);  // those before it may have reopened it
        if (task.phase == Phase::ended) retry(task);
        break;
      default:
        task.phase = Phase::removed;
    }
  }
  // What a person tries again waits for nothing that has ended, and, unless it was a dependency
  // that ended it, for nothing at all: neither others nor a time.
  void retry(ModelTask& task) {
    for (const Dependency& on : task.spec.constraints.depends_on) {
      if (!task.by_links || tasks_.at(on.task).has_ended()) task.met.insert(on.task);
    }
    if (!task.is_blocked()) {
      task.tries = 0;
      task.lost = 0;
      task.due_ms = 0;
    }
    wait_again(task);
  }

  std::map<TaskId, ModelTask> tasks_;
};

}  // namespace taskd
