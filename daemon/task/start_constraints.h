// What a task's start depends on: a key, slots and resources, other tasks; and what prevents
// duplicates. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/task/rate_limit.h"

namespace taskd {

// Tasks of one user with the same key share its limits, across all queues. The limits belong to the
// key: the latest submit that names limits sets them for all its tasks.
struct KeyUse {
  std::string name;               // "" = no key
  std::optional<int> limit;       // running at once
  std::optional<RateLimit> rate;  // of starts
  bool operator==(const KeyUse&) const = default;
};
// The limit of a key that was created without limits.
inline constexpr int kDefaultKeyLimit = 1;

enum class UniqueWhile { queued, active };

// While a matching task of the same user with the same key exists, a submit returns that task
// instead of creating one. Each of `for_ms` and `while_state` that is set must hold; with neither,
// the task must be active.
struct Unique {
  std::string key;          // "" = not unique
  std::int64_t for_ms = 0;  // the task was submitted at most this long ago; 0 = any time
  // queued: it waits to run; active: it has not ended.
  std::optional<UniqueWhile> while_state;
  bool operator==(const Unique&) const = default;
};

// How the upstream must have ended.
enum class DependencyOn { ok, any, failed };
struct Dependency {
  std::int64_t task = 0;
  DependencyOn on = DependencyOn::ok;
  bool whole_array = false;  // `task` is an array's id, and the whole array is meant
  bool operator==(const Dependency&) const = default;
};
// A dependency as a person writes it: "12" is the id of an array or a task, "12[3]" a task of an
// array.
struct NamedDependency {
  std::string tasks;   // as in task_name.h
  bool array = false;  // must name an array
  DependencyOn on = DependencyOn::ok;
  bool operator==(const NamedDependency&) const = default;
};
// What happens to a task when one of its dependencies can no longer be met.
enum class OnDependencyFailed { fail, cancel, run };

// The units of indexed resources that an attempt holds.
using Grant = std::map<std::string, std::vector<std::string>>;

struct StartConstraints {
  KeyUse key;
  int slots = 1;                                  // slots to occupy; it still runs on one worker
  std::map<std::string, std::int64_t> resources;  // amount of each resource
  Unique unique;
  std::vector<Dependency> depends_on;
  // From a submit, until the API resolves them into `depends_on`. Never stored.
  std::vector<NamedDependency> named;
  OnDependencyFailed on_dependency_failed = OnDependencyFailed::fail;
  bool operator==(const StartConstraints&) const = default;
};

std::string_view to_string(UniqueWhile);
std::string_view to_string(DependencyOn);
std::string_view to_string(OnDependencyFailed);
std::optional<UniqueWhile> parse_unique_while(std::string_view);
std::optional<DependencyOn> parse_dependency_on(std::string_view);
std::optional<OnDependencyFailed> parse_on_dependency_failed(std::string_view);

}  // namespace taskd
