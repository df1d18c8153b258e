// The queues with their settings, counts by state and turns, as the writer sees them: with
// everything its open transaction holds. Kept in memory, since every change counts and every claim
// asks, and written with each commit.
//
// Used by the writer thread alone, but for reserved_task().
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
  // Takes over what the database says. Whose turn it is stays in memory, and begins anew with each
  // daemon.
  void load(Connection& db);
  // Around a transaction; undo_transaction() is for one that was rolled back as a whole.
  void begin_transaction();
  void undo_transaction(Connection& db);
  // After a command changed the queues' rows: their settings alone, and which there are. What
  // started under another rate delays nothing for longer than an interval of the new one.
  void reload_settings(Connection& db, WallTime now);
  // The command did so: once its SQL is undone, too, it has to be done again.
  bool has_new_settings() const { return has_new_settings_; }

  bool contains(std::string_view queue) const { return queues_.find(queue) != queues_.end(); }
  const QueueInfo& info(std::string_view queue) const { return queues_.find(queue)->second.info; }
  // Tasks of any state.
  std::int64_t total(std::string_view queue) const;

  void add(const std::string& queue, State state, std::int64_t delta);

  // Tasks that run, in all queues.
  std::int64_t running() const;

  // The queues that have queued tasks and may start one now, in their turn; and when time alone
  // will let another.
  struct Turns {
    std::vector<const std::string*> queues;
    std::optional<WallTime> later;
  };
  Turns turns(WallTime now) const;
  // A task of the queue starts.
  void take_turn(const std::string& queue, WallTime now);

  // The task for which all queues make room: the first of the queue whose turn it was, which did
  // not fit. Kept for find_next_task(), which knows whether that still is so.
  struct Reservation {
    std::string queue;
    TaskId task;
  };
  const std::optional<Reservation>& reservation() const { return reservation_; }
  void set_reservation(std::optional<Reservation> reservation) {
    reservation_ = std::move(reservation);
    front_task_ = reservation_ ? reservation_->task : 0;
  }
  // The same for any thread, as of the latest claim. 0: none.
  TaskId reserved_task() const { return front_task_; }

  ReadyIndex& lines() { return lines_; }

  // After the clock was put back: no rate holds its queue up for longer than its interval.
  void rewind(WallTime now);

  // A command begins; undo() takes back what was done since.
  void begin_command() {
    journal_.clear();
    has_new_settings_ = false;
    command_begin_ = turns_so_far();
  }
  void undo();

  // Writes what changed, inside the transaction that changed it.
  void flush(Connection& db);

 private:
  struct Queue {
    QueueInfo info;
    RecentStarts starts;
    bool starts_changed = false;
    std::array<bool, std::size(kAllStates)> changed{};
    std::int64_t pass = 0;
  };
  // Undone by giving back what was there before.
  struct Step {
    Queue* queue;
    std::optional<State> state;  // of a count; else a turn
    std::int64_t before;         // the count, or the pass
    RecentStarts starts;         // with a turn
  };
  // What turns do besides the queue's own pass; of the transaction's, `passes` has these as well.
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
  std::vector<Pass> passes_;  // of the queues that took turns in the transaction, in their order
  TurnsSoFar transaction_begin_;
  TurnsSoFar command_begin_;
  bool has_new_settings_ = false;
};

// Reads a row of name, capacity, concurrency, weight, rate_count, rate_per_ms, rate_burst,
// paused_at_ms, paused_by, paused_reason, draining, notify, defaults. The counts are not in it.
QueueInfo read_queue(const Query& row);
// Reads the columns rate_count, rate_per_ms, rate_burst, beginning with that of this number; and
// rate_full_at_ns, rate_starts; and defaults, a JSON object. What cannot be read counts as not set.
std::optional<RateLimit> read_rate(const Query& row, int column);
RecentStarts read_starts(const Query& row, int column);
std::string read_defaults(const Query& row, int column);
std::string notify_to_stored(const std::vector<Notify>& list);

}  // namespace taskd
