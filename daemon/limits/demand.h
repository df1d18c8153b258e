// What a task needs of the machine while it runs, what the machine has, and whether a task fits
// into what is free. Pure; objects are not thread-safe.
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

// The stored form: "" for one slot and no resources, or "2 gpu=1 memory=1073741824".
std::string to_stored(const Demand& demand);
// Returns nothing for text that to_stored() did not write.
std::optional<Demand> demand_from_stored(std::string_view text);

// A declared resource: an amount, or a list of units if it is indexed.
struct Resource {
  std::int64_t amount = 0;         // if indexed: the number of units
  std::vector<std::string> units;  // empty: not indexed
};
struct Machine {
  int slots = kUnlimitedSlots;
  std::map<std::string, Resource> resources;
  static constexpr int kUnlimitedSlots = 1 << 20;
};
// What running tasks use: slots, amounts of resources, and units of indexed resources.
struct Allocation {
  std::int64_t slots = 0;
  std::map<std::string, std::int64_t> resources;
  Grant units;
  void add(const Demand& demand, const Grant& grant);
};
// Returns the resource that is missing or too small, so that the machine can never meet the demand
// ("" = slots).
std::optional<std::string> find_unmet(const Machine& machine, const Demand& demand);

// The stored form.
std::string to_stored(const Grant& grant);  // "gpu=0,1 tape=a"
std::optional<Grant> grant_from_stored(std::string_view text);

// What is free on a machine.
class FreeCapacity {
 public:
  explicit FreeCapacity(const Machine& machine);

  // Subtracts what running tasks use. If they use more than there is (the machine was larger
  // before), nothing is left.
  void take(const Allocation& use);
  bool has_slots() const { return slots_ > 0; }
  bool fits(const Demand& demand) const;
  // Whether nothing is left of a resource that it needs (slots aside).
  bool is_spent(const Demand& demand) const;
  // Picks the units for a demand that fits.
  Grant choose(const Demand& demand) const;
  // Reserves what a task that does not fit needs, so that small tasks behind it cannot delay it
  // forever. Reserves resources first, and slots only once all its resources are free, so that no
  // slot stays idle because of a missing resource.
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
