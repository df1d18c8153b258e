// The queues with their settings, counts by state and turns, including everything in the writer's
// open transaction. Kept in memory, since every change updates the counts and every claim reads
// them, and written with each commit.
//
// Used by the writer thread alone, except reserved_task().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/limits/fair_share.h"
#include "daemon/limits/queue.h"
#include "daemon/limits/recent_starts.h"
#include "daemon/store/db/connection.h"
#include "daemon/store/limits/ready_index.h"
#include "daemon/task/task.h"

namespace taskd {

class QueueTable {
 public:
  // Loads the table from the database. Turns exist only in memory and start over with each daemon.
  void load(Connection& db);
  // Call around a transaction; undo_transaction() is for one that was rolled back as a whole.
  void begin_transaction();
  void undo_transaction(Connection& db);
  // Call after a command changed the rows of queues; reloads settings and the list of queues.
  // Starts under an old rate delay nothing for longer than one interval of the new rate.
  void reload_settings(Connection& db, WallTime now);
  // The current command reloaded settings. If its SQL is undone, reload again.
  bool has_new_settings() const { return has_new_settings_; }

  bool contains(std::string_view queue) const { return queues_.find(queue) != queues_.end(); }
  const QueueInfo& info(std::string_view queue) const { return queues_.find(queue)->second.info; }
  // Tasks of the queue in any state.
  std::int64_t total(std::string_view queue) const;

  void add(const std::string& queue, State state, std::int64_t delta);

  // Running tasks in all queues.
  std::int64_t running() const;

  // The queues that have queued tasks and may start one now, in order of their turns; and when a
  // rate will allow another.
  struct Turns {
    std::vector<const std::string*> queues;
    std::optional<WallTime> later;
  };
  Turns turns(WallTime now) const;
  // Records that a task of the queue starts.
  void take_turn(const std::string& queue, WallTime now);

  // The task that reserves resources across all queues: it was the head of the queue whose turn it
  // was, but did not fit. Kept for find_next_task(), which checks whether the reservation still
  // holds.
  struct Reservation {
    std::string queue;
    TaskId task;
  };
  const std::optional<Reservation>& reservation() const { return reservation_; }
  void set_reservation(std::optional<Reservation> reservation) {
    reservation_ = std::move(reservation);
    front_task_ = reservation_ ? reservation_->task : 0;
  }
  // The task with the reservation as of the latest claim; 0 = none. Thread-safe.
  TaskId reserved_task() const { return front_task_; }

  ReadyIndex& lines() { return lines_; }

  // Call after the clock was set back: no rate then holds a queue back for longer than its
  // interval.
  void rewind(WallTime now);

  // Starts a command; undo() reverts what happened since.
  void begin_command() {
    journal_.clear();
    has_new_settings_ = false;
    command_begin_ = turns_so_far();
  }
  void undo();

  // Writes the changes, inside the transaction that made them.
  void flush(Connection& db);

 private:
  struct Queue {
    QueueInfo info;
    RecentStarts starts;
    bool starts_changed = false;
    std::array<bool, std::size(kAllStates)> changed{};
    std::int64_t pass = 0;
  };
  // Undone by restoring the previous value.
  struct Step {
    Queue* queue;
    std::optional<State> state;  // which count; empty: a turn
    std::int64_t before;         // the previous count or pass
    RecentStarts starts;         // with a turn
  };
  // The effects of turns beyond the queue's own pass. For a whole transaction, see also `passes_`.
  struct TurnsSoFar {
    FairShare share;
    std::optional<Reservation> reservation;
    std::size_t passes = 0;
  };
  struct Pass {
    std::string queue;
    std::int64_t before;
  };
  using Queues = std::map<std::string, Queue, std::less<>>;
  TurnsSoFar turns_so_far() const { return {share_, reservation_, passes_.size()}; }

  Queues queues_;
  ReadyIndex lines_;
  FairShare share_;
  std::optional<Reservation> reservation_;
  std::atomic<TaskId> front_task_ = 0;
  std::vector<Step> journal_;
  std::vector<Pass> passes_;  // of the queues that took turns in the transaction, in order
  TurnsSoFar transaction_begin_;
  TurnsSoFar command_begin_;
  bool has_new_settings_ = false;
};

// Reads a row of name, capacity, concurrency, weight, rate_count, rate_per_ms, rate_burst,
// paused_at_ms, paused_by, paused_reason, draining, notify, defaults. Does not fill in the counts.
QueueInfo read_queue(const Query& row);
// Read consecutive columns starting at `column`: rate_count, rate_per_ms, rate_burst; or
// rate_full_at_ns, rate_starts; or defaults, a JSON object. Unreadable values count as not set.
std::optional<RateLimit> read_rate(const Query& row, int column);
RecentStarts read_starts(const Query& row, int column);
std::string read_defaults(const Query& row, int column);
std::string notify_to_stored(const std::vector<Notify>& list);

}  // namespace taskd
