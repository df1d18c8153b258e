// Limits the events of removed tasks to the newest ones. Otherwise the file would grow with the
// amount of work ever done.
//
// The sweep walks through all events step by step, on a reader. It starts over once the events have
// grown by half of what is kept or a quarter of what the last walk saw, so a walk costs each event
// a few look-ups. The number of kept events exceeds `keep` by at most that much, except for a
// moment after a very large removal.
//
// look() is called from the timer thread only; kept() from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "daemon/store/db/connection.h"

namespace taskd {

class EventSweep {
 public:
  explicit EventSweep(std::int64_t keep) : keep_(keep) {}

  // Events to delete, some hundred at most; `more`: call again right away.
  struct Step {
    std::vector<std::int64_t> seqs;
    bool more = false;
  };
  Step look(Connection& reader);

  // How many events of removed tasks there were at the end of the latest walk; -1: no walk has
  // ended.
  std::int64_t kept() const { return kept_; }

 private:
  void begin_if_due(Connection& reader);

  const std::int64_t keep_;
  std::int64_t began_at_ = 0;  // the newest event when the latest walk began
  bool walking_ = false;
  std::int64_t cursor_ = 0;     // how far the walk has come
  std::int64_t keep_from_ = 0;  // events from here on are only counted
  std::int64_t seen_ = 0;       // events seen by this walk
  std::int64_t gone_ = 0;       // of these: kept events of removed tasks
  std::int64_t seen_last_ = 0;
  std::atomic<std::int64_t> kept_ = -1;
};

}  // namespace taskd
