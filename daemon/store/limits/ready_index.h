// Who is next in each queue. The queued tasks of a queue that need the same slots and resources
// form one line, and only the heads of the lines are kept, in memory: so a claim asks the database
// for those heads alone that have left since, however many lines there are. Read from the database
// when a queue is first asked for, and kept up by every change; what is not known to be right is
// forgotten.
//
// The class is used by the writer thread alone.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/limits/demand.h"
#include "daemon/store/db/connection.h"

namespace taskd {

class ReadyIndex {
 public:
  struct Head {
    int priority = 0;
    TaskId task = 0;
    const Demand* demand = nullptr;
    bool operator<(const Head& other) const {
      return priority != other.priority ? priority > other.priority : task < other.task;
    }
  };
  using Heads = std::set<Head>;

  // The first of all is the queue's first. Good until the next change.
  const Heads& heads(Connection& db, const std::string& queue);

  // A task is `queued` from now on, or no longer. `line`: its demand as the store keeps it.
  void enter(const std::string& queue, const std::string& line, const Demand& demand, int priority,
             TaskId task);
  void leave(const std::string& queue, const std::string& line, TaskId task);

  // The database is not what it was: a roll-back, or queues that came and went.
  void forget() { queues_.clear(); }

 private:
  struct Line {
    Demand demand;
    std::optional<Head> head;  // empty: to be looked up
  };
  struct Queue {
    std::map<std::string, Line> lines;  // by demand, as the store keeps them; none is empty
    Heads heads;
    std::vector<std::string> headless;  // lines that lost their heads; some may have new ones
  };
  static void read_lines(Connection& db, const std::string& name, Queue& queue);
  static void set_head(Queue& queue, Line& line, std::optional<Head> head);

  std::map<std::string, Queue> queues_;  // those that were asked for
};

// The needs of the queue's next line after that of these needs. For a reader, too.
std::optional<std::string> next_demand(Connection& db, const std::string& queue,
                                      const std::string& demand);

}  // namespace taskd
