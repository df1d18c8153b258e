// Whose rows these are: a uid may belong to one user today and to another next year.
// A part of TaskStore: see there for threads, durability and errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/part.h"
#include "daemon/task/run_as.h"

namespace taskd {

class StoreUsers : protected StorePart {
 public:
  // Who the owner of a row is: from memory, since every request asks. Nothing: nobody said so yet.
  std::optional<KnownUser> known_user(std::uint32_t owner) const;
  void know_user(std::uint32_t uid, const std::string& name);
  // The uid was another's and is `name`'s now. What the other left goes to an owner of its own
  // (known_user() tells who that was), its schedules stop, and nothing of it is the uid's any more.
  // Commits a piece at a time, so it holds nobody up; after an exception a repeated call does the
  // rest.
  void set_aside(std::uint32_t uid, const std::string& name);
  // Owners of rows whom nobody has named yet.
  std::vector<std::uint32_t> unknown_users();

 protected:
  using StorePart::StorePart;
  void load_users();
};

}  // namespace taskd
