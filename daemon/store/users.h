// Which user owns which rows: a uid may belong to one user today and to another next year. A part
// of TaskStore: see there for threads, durability and errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/part.h"
#include "daemon/task/run_as.h"

namespace taskd {

class StoreUsers : protected StorePart {
 public:
  // The user behind an owner id. Kept in memory, since every request asks. Nothing if not recorded
  // yet.
  std::optional<KnownUser> known_user(std::uint32_t owner) const;
  void know_user(std::uint32_t uid, const std::string& name);
  // The uid belonged to somebody else and is `name`'s now. Moves the previous user's rows to a
  // separate owner id (known_user() names the previous user) and stops that user's schedules.
  // Commits in pieces, so it blocks nobody; after an exception, repeat the call to do the rest.
  void set_aside(std::uint32_t uid, const std::string& name);
  // Owners whose user is not recorded yet.
  std::vector<std::uint32_t> unknown_users();

 protected:
  using StorePart::StorePart;
  void load_users();
};

}  // namespace taskd
