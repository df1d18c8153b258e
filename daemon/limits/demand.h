// What a task takes of the machine while it runs, what the machine has, and whether the one fits
// into what is left of the other. Pure; everything here belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/task/start_constraints.h"

namespace taskd {

struct Demand {
  int slots = 1;
  std::map<std::string, std::int64_t> resources;
  bool operator==(const Demand&) const = default;
};
Demand demand_of(const StartConstraints& constraints);

// As the store keeps them: "" for one slot and nothing else, or "2 gpu=1 memory=1073741824".
std::string to_stored(const Demand& demand);
// Nothing for a text that to_stored() did not write.
std::optional<Demand> demand_from_stored(std::string_view text);

// A declared resource: so much of it, or, where it is indexed, these units.
struct Resource {
  std::int64_t amount = 0;         // of an indexed one: how many units
  std::vector<std::string> units;  // empty: not indexed
};
struct Machine {
  int slots = kUnlimitedSlots;
  std::map<std::string, Resource> resources;
  static constexpr int kUnlimitedSlots = 1 << 20;
};
// What running tasks have of a machine: so much of it, and of indexed resources these units.
struct Allocation {
  std::int64_t slots = 0;
  std::map<std::string, std::int64_t> resources;
  Grant units;
  void add(const Demand& demand, const Grant& grant);
};
// Why the demand can never be met here: the resource that is missing or too small ("" = the slots).
std::optional<std::string> find_unmet(const Machine& machine, const Demand& demand);

// As the store keeps them.
std::string to_stored(const Grant& grant);  // "gpu=0,1 tape=a"
std::optional<Grant> grant_from_stored(std::string_view text);

// What is left of a machine.
class FreeCapacity {
 public:
  explicit FreeCapacity(const Machine& machine);

  // Running tasks have this. More than there is (the machine was larger then) leaves nothing.
  void take(const Allocation& use);
  bool has_slots() const { return slots_ > 0; }
  bool fits(const Demand& demand) const;
  // Of what it needs besides slots nothing is left.
  bool is_spent(const Demand& demand) const;
  // The units for a demand that fits.
  Grant choose(const Demand& demand) const;
  // Keeps from those behind it what a task needs that does not fit: the resources first, so that no
  // slot is idle for their sake, and once it could have these, the slots. So nothing small keeps
  // something large from starting for ever.
  void keep(const Demand& demand);

 private:
  std::int64_t free_of(const std::string& resource) const;
  bool fits_resources(const Demand& demand) const;

  std::int64_t slots_;
  struct Free {
    std::int64_t amount;
    std::vector<std::string> units;
  };
  std::map<std::string, Free> free_;
};

}  // namespace taskd
