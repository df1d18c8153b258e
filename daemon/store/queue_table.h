// The queues with their counts by state, as the writer sees them: with everything its open
// transaction holds. Kept in memory, since every change counts, and written with each commit.
//
// Used by the writer thread alone.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/store/connection.h"
#include "daemon/task/task.h"

namespace taskd {

class QueueTable {
 public:
  // Takes over what the database says. Called again after a roll-back and after the queues change.
  void load(Connection& db);

  bool contains(std::string_view queue) const { return queues_.find(queue) != queues_.end(); }
  std::int64_t capacity(const std::string& queue) const { return queues_.at(queue).capacity; }
  // Tasks that wait to run: what the capacity limits.
  std::int64_t waiting(const std::string& queue) const;

  void add(const std::string& queue, State state, std::int64_t delta);

  // A command begins; undo() takes back what was added since.
  void begin_command() { journal_.clear(); }
  void undo();

  // Writes the changed counts, inside the transaction that changed them.
  void flush(Connection& db);

 private:
  struct Queue {
    std::int64_t capacity = 0;
    std::array<std::int64_t, std::size(kAllStates)> counts{};
    std::array<bool, std::size(kAllStates)> changed{};
  };
  struct Step {
    Queue* queue;
    std::size_t state;
    std::int64_t delta;
  };
  std::map<std::string, Queue, std::less<>> queues_;
  std::vector<Step> journal_;
};

}  // namespace taskd
