// What binds a task's start to others: a key, slots and resources, the tasks it depends on; and
// what keeps it from being submitted twice. Plain data without behaviour.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/task/rate_limit.h"

namespace taskd {

// Tasks of one user with the same key share its limits, whatever their queues. The limits are the
// key's: the latest submit that names some sets them for all.
struct KeyUse {
  std::string name;               // "" = no key
  std::optional<int> limit;       // running at once
  std::optional<RateLimit> rate;  // of starts
  bool operator==(const KeyUse&) const = default;
};
// A key that came with neither limit.
inline constexpr int kDefaultKeyLimit = 1;

enum class UniqueWhile { queued, active };

// While there is such a task of the same user with the same key, a submit gives that one instead of
// a new one. Of `for_ms` and `while_state` those that are set must hold; neither: active.
struct Unique {
  std::string key;          // "" = not unique
  std::int64_t for_ms = 0;  // since it was submitted; 0 = however long
  // queued: it waits to run; active: it has not ended.
  std::optional<UniqueWhile> while_state;
  bool operator==(const Unique&) const = default;
};

// How the other task must have ended.
enum class DependencyOn { ok, any, failed };
struct Dependency {
  std::int64_t task = 0;
  DependencyOn on = DependencyOn::ok;
  bool whole_array = false;  // `task` is the id of an array, and all of it is meant
  bool operator==(const Dependency&) const = default;
};
// The same as a person writes it: "12" is an array's id or a task's, "12[3]" one of an array.
struct NamedDependency {
  std::string tasks;  // as in task_name.h
  bool array = false;  // it must be an array
  DependencyOn on = DependencyOn::ok;
  bool operator==(const NamedDependency&) const = default;
};
// What becomes of a task when one of its dependencies cannot be met any more.
enum class OnDependencyFailed { fail, cancel, run };

// Which units of the indexed resources an attempt has.
using Grant = std::map<std::string, std::vector<std::string>>;

struct StartConstraints {
  KeyUse key;
  int slots = 1;                                  // of the workers; it runs on one all the same
  std::map<std::string, std::int64_t> resources;  // how much of each declared one
  Unique unique;
  std::vector<Dependency> depends_on;
  // A submit's, until the API has made `depends_on` of them. Never stored.
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
