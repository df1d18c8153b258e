// What is kept of tasks that were removed: the newest of their events. The others would let the
// file grow with the work that was done instead of with what is there.
//
// It walks through all events bit by bit, on a reader, and begins anew once the events have grown
// by half of what is kept or a quarter of what it saw last, so a walk costs each event a few
// look-ups. So at most that much more than `keep` is there of removed tasks, but for a moment after
// very many were removed at once.
//
// look() from one thread, the timer thread; kept() from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "daemon/store/db/connection.h"

namespace taskd {

class EventSweep {
 public:
  explicit EventSweep(std::int64_t keep) : keep_(keep) {}

  // Events to delete, some hundred at most; `more`: there is more to look at right away.
  struct Step {
    std::vector<std::int64_t> seqs;
    bool more = false;
  };
  Step look(Connection& reader);

  // How many events of removed tasks there were when the last walk came to its end; -1: none did.
  std::int64_t kept() const { return kept_; }

 private:
  void begin_if_due(Connection& reader);

  const std::int64_t keep_;
  std::int64_t began_at_ = 0;  // the newest event when the last walk began
  bool walking_ = false;
  std::int64_t cursor_ = 0;     // what the walk has seen
  std::int64_t keep_from_ = 0;  // newer ones are only counted
  std::int64_t seen_ = 0;       // by this walk
  std::int64_t gone_ = 0;       // of these, of removed tasks and kept
  std::int64_t seen_last_ = 0;
  std::atomic<std::int64_t> kept_ = -1;
};

}  // namespace taskd
