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
  std::int64_t due_ms = 0;       // starts no earlier
  State end = State::succeeded;  // of one that ended …
  bool doomed = false;           // … for what it depended on
  int tries = 0;
  int lost = 0;
  std::set<TaskId> met;  // of its dependencies those that were met once, or waived by a person

  bool has_ended() const { return phase == Phase::ended || phase == Phase::removed; }
  bool waits() const { return phase == Phase::waits || phase == Phase::held; }
  bool is_blocked() const { return std::ssize(met) < std::ssize(spec.flow.depends_on); }
  Amounts needs() const {
    Amounts needs = spec.flow.resources;
    needs["slots"] = spec.flow.slots;
    return needs;
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
    settle();
  }

  // Those that end in one commit do so before anybody is told: settle() is to follow.
  void end(TaskId id, const Outcome& outcome, std::int64_t now_ms) {
    ModelTask& task = tasks_.at(id);
    task.due_ms = 0;
    if (outcome.kind == OutcomeKind::lost) {
      if (task.lost++ < task.spec.max_lost) return wait_again(task);
      return finish(task, State::failed);
    }
    if (outcome.code == 0) return finish(task, State::succeeded);
    if (++task.tries >= task.spec.max_attempts) return finish(task, State::failed);
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
  void control(Verb verb, const std::vector<TaskId>& ids) {
    for (const TaskId id : ids) control_one(verb, tasks_.at(id));
    settle();
  }

  // Brings all to what their parents' states mean for them. These have lower ids.
  void settle() {
    for (auto& [id, task] : tasks_) {
      if (!task.waits() && !(task.phase == Phase::ended && task.doomed)) continue;
      bool broken = false;
      for (const Dependency& on : task.spec.flow.depends_on) {
        if (!task.met.contains(on.task) && is_met(task, on)) task.met.insert(on.task);
        broken |= is_broken(task, on);
      }
      if (broken && task.waits()) doom(task);
      if (!broken && !task.waits()) wait_again(task);
    }
  }

 private:
  bool is_met(const ModelTask& task, const Dependency& on) const {
    const ModelTask& parent = tasks_.at(on.task);
    if (!parent.has_ended()) return false;
    if (task.spec.flow.on_dependency_failed == OnDependencyFailed::run) return true;
    const bool ok = parent.end == State::succeeded;
    return on.on == DependencyOn::any ||
           (on.on == DependencyOn::ok ? ok : !ok && !is_unneeded(parent));
  }
  bool is_broken(const ModelTask& task, const Dependency& on) const {
    return !task.met.contains(on.task) && tasks_.at(on.task).has_ended() && !is_met(task, on);
  }

  static void finish(ModelTask& task, State end) {
    task.phase = Phase::ended;
    task.end = end;
  }
  // For what it depended on: nothing that waits for it is told of a failure.
  static bool is_unneeded(const ModelTask& task) {
    return task.doomed && task.end == State::cancelled;
  }
  bool lacks_a_success(const ModelTask& task) const {
    const auto& on = task.spec.flow.depends_on;
    return std::any_of(on.begin(), on.end(), [&](const Dependency& one) {
      return one.on == DependencyOn::ok && is_broken(task, one) &&
             !is_unneeded(tasks_.at(one.task));
    });
  }
  void doom(ModelTask& task) const {
    const bool cancels =
        task.spec.flow.on_dependency_failed == OnDependencyFailed::cancel || !lacks_a_success(task);
    finish(task, cancels ? State::cancelled : State::failed);
    task.doomed = true;
  }
  static void wait_again(ModelTask& task) {
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
        finish(task, State::cancelled);
        break;
      case Verb::retry:
        settle();  // those before it may have revived it
        if (task.phase == Phase::ended) retry(task);
        break;
      default:
        task.phase = Phase::removed;
    }
  }
  // What a person tries again waits for nothing that has ended, and, unless it was a dependency
  // that ended it, for nothing at all: neither others nor a time.
  void retry(ModelTask& task) {
    for (const Dependency& on : task.spec.flow.depends_on) {
      if (!task.doomed || tasks_.at(on.task).has_ended()) task.met.insert(on.task);
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
