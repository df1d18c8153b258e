// The next task of each queue. The queued tasks of a queue that need the same slots and resources
// form one line, and only the heads of the lines are kept in memory. So a claim asks the database
// only for heads that left since the previous claim, however many lines there are. Loaded when a
// queue is first used and updated by every change; entries that may be stale are dropped.
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

  // The heads of the queue's lines, the queue's first task first. Valid until the next change.
  const Heads& heads(Connection& db, const std::string& queue);

  // A task becomes `queued`, or stops being so. `line`: its demand in stored form.
  void enter(const std::string& queue, const std::string& line, const Demand& demand, int priority,
             TaskId task);
  void leave(const std::string& queue, const std::string& line, TaskId task);

  // Drops everything, after a roll-back or when queues were added or removed.
  void forget() { queues_.clear(); }

 private:
  struct Line {
    Demand demand;
    std::optional<Head> head;  // empty: must be looked up
  };
  struct Queue {
    std::map<std::string, Line> lines;  // by demand in stored form; no line is empty
    Heads heads;
    std::vector<std::string> headless;  // lines that lost their head; some may have another task
  };
  static void read_lines(Connection& db, const std::string& name, Queue& queue);
  static void set_head(Queue& queue, Line& line, std::optional<Head> head);

  std::map<std::string, Queue> queues_;  // the queues in use
};

// The demand of the queue's next line after the given one. Also for readers.
std::optional<std::string> next_demand(Connection& db, const std::string& queue,
                                       const std::string& demand);

}  // namespace taskd
