#include "daemon/store/write/write_queue.h"

#include <SQLiteCpp/Exception.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

// A WAL of this length is copied into the database between two commits: long enough that pages that
// change repeatedly are copied once, short enough to take milliseconds. On a full disk the copy may
// need as much space again; at 8 MiB that is half the ballast.
constexpr int kCheckpointPages = 2000;
// While the ballast is in use, its space has to last: the WAL starts over from its beginning.
constexpr int kCheckpointPagesWhenFull = 50;
// Tasks that one commit may start in addition to its commands, to keep it short.
constexpr std::ptrdiff_t kMaxClaimed = 64;
// Used once a lock has outlasted kBusyTimeoutMs, so that waiting callers soon get an answer.
constexpr int kBusyTimeoutWhenLockedMs = 1000;

std::exception_ptr disk_full(const Ballast& ballast) {
  const std::string mib = std::to_string(ballast.wanted_bytes() >> 20);
  return std::make_exception_ptr(DiskFull(
      "the daemon's disk is full, nothing was stored; it continues once " + mib + " MiB are free"));
}

std::exception_ptr store_busy(const SQLite::Exception& error) {
  return std::make_exception_ptr(StoreBusy("the database is temporarily unavailable (" +
                                           std::string(error.what()) + "); nothing was changed"));
}

}  // namespace

WriteQueue::WriteQueue(Connection db, const StoreOptions& options, std::int64_t generation,
                       bool is_copy)
    : options_(options),
      generation_(generation),
      is_copy_(is_copy),
      db_(std::move(db)),
      outbox_(options),
      ballast_(options.path + kBallastSuffix, options.ballast_bytes),
      files_(options.path) {
  queues_.load(db_);
  if (!is_copy_) ballast_.restore();
  thread_ = std::thread([this] { loop(); });
}

WriteQueue::~WriteQueue() {
  {
    const MutexLock lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void WriteQueue::run(WhenFull when_full, Owner owner, const Command& command) {
  if (is_copy_) {
    throw StoreIsCopy("the database " + options_.path +
                      " is a copy of a store that lies elsewhere, so it is read-only");
  }
  std::future<std::exception_ptr> done;
  std::int64_t cpu_us = 0;
  {
    const MutexLock lock(mutex_);
    if (!stopped_.empty()) throw std::runtime_error(stopped_);
    std::deque<Item>& mine = waiting_[owner];
    mine.push_back({when_full, owner, &command, {}, &cpu_us, {}});
    done = mine.back().done.get_future();
  }
  wake_.notify_one();
  const std::exception_ptr error = done.get();
  add_cpu_us_of_others(cpu_us);
  if (error) std::rethrow_exception(error);
}

CommitTimesUs WriteQueue::times() const {
  CommitTimesUs times = times_.summary();
  const MutexLock lock(mutex_);
  for (const auto& [owner, items] : waiting_) times.waiting += std::ssize(items);
  return times;
}

void WriteQueue::fail(const std::string& error) {
  const std::string reason = "The database " + options_.path + " cannot be trusted any more (" +
                             error +
                             "), so taskd stops. Check the disk, then start "
                             "taskd again; if it still fails, restore a backup.";
  {
    const MutexLock lock(mutex_);
    if (!stopped_.empty()) return;
    stopped_ = reason;
  }
  options_.on_fatal(reason);
}

std::exception_ptr WriteQueue::stopped_error() {
  const MutexLock lock(mutex_);
  if (stopped_.empty()) return nullptr;
  return std::make_exception_ptr(std::runtime_error(stopped_));
}

void WriteQueue::loop() {
  for (;;) {
    Batch batch = next_batch();
    if (batch.empty()) return;
    const std::size_t completed = complete_batch(batch);
    give_back(std::span(batch).subspan(completed));
    checkpoint_when_long();
  }
}

// Empty when the queue is closed and every accepted command is done.
WriteQueue::Batch WriteQueue::next_batch() {
  const MutexLock lock(mutex_);
  while (waiting_.empty() && !closing_) wake_.wait(mutex_);
  Batch batch;
  while (!waiting_.empty() && std::cmp_less(batch.size(), options_.max_batch)) take_round(batch);
  return batch;
}

// Takes one command of each user, starting after the user of the latest turn, and all of the
// daemon's. The daemon's come first, except after a transaction that they filled.
void WriteQueue::take_round(Batch& batch) {
  std::vector<Owner> owners;
  for (const auto& [owner, items] : waiting_) owners.push_back(owner);
  std::rotate(owners.begin(), std::upper_bound(owners.begin(), owners.end(), latest_user_),
              owners.end());
  const bool daemon_first = !daemon_filled_latest_;
  std::stable_partition(owners.begin(), owners.end(),
                        [&](Owner owner) { return (owner == kDaemon) == daemon_first; });
  for (const Owner owner : owners) {
    std::deque<Item>& items = waiting_[owner];
    do {
      if (std::cmp_greater_equal(batch.size(), options_.max_batch)) return;
      batch.push_back(std::move(items.front()));
      items.pop_front();
    } while (owner == kDaemon && !items.empty());
    if (items.empty()) waiting_.erase(owner);
  }
}

// Puts commands that had no time in the transaction back, in front of newer ones.
void WriteQueue::give_back(std::span<Item> rest) {
  const MutexLock lock(mutex_);
  for (auto item = rest.rbegin(); item != rest.rend(); ++item) {
    waiting_[item->owner].push_front(std::move(*item));
  }
}

std::size_t WriteQueue::complete_batch(std::span<Item> batch) {
  std::size_t taken = 0;
  const Result result = try_batch(batch, /*claiming=*/true, taken);
  {
    const MutexLock lock(mutex_);
    const Owner latest = batch[taken - 1].owner;
    daemon_filled_latest_ = latest == kDaemon && taken < batch.size();
    if (latest != kDaemon) latest_user_ = latest;
  }
  if (result == Result::completed) return taken;
  // The disk is full for the batch and the tasks it lets start. Try each command alone: one may
  // fit, and one that must be recorded must not fail because of another.
  for (std::size_t i = 0; i < taken; ++i) {
    const std::span<Item> alone = batch.subspan(i, 1);
    std::size_t one = 0;
    if (try_batch(alone, /*claiming=*/false, one) == Result::completed) continue;
    if (alone[0].when_full == WhenFull::use_ballast && ballast_.give_up() &&
        try_batch(alone, /*claiming=*/false, one) == Result::completed) {
      continue;
    }
    alone[0].error = disk_full(ballast_);
    complete(alone);
  }
  return taken;
}

// settled: the commands are committed or have their errors, and their callers know. no space: as if
// they had never run.
WriteQueue::Result WriteQueue::try_batch(std::span<Item> batch, bool claiming, std::size_t& taken) {
  taken = batch.size();
  if (const std::exception_ptr error = stopped_error()) {
    for (Item& item : batch) item.error = error;
    complete(batch);
    return Result::completed;
  }
  Transaction transaction(db_, queues_, outbox_, options_.clock->wall_now(), generation_,
                          options_.commit_budget_us, !ballast_.in_place());
  taken = 0;
  bool committing = false;
  int idle = 0;
  std::optional<Claims> claims;
  try {
    queues_.begin_transaction();
    db_.run("BEGIN IMMEDIATE");
    for (Item& item : batch) {
      ++taken;
      run_command(item, transaction, batch.size() == 1);
      if (transaction.is_spent()) break;
    }
    if (db_.in_transaction()) {
      if (claiming && !transaction.is_spent()) idle = count_idle(transaction);
      if (idle > 0) claims = claim_for(idle, transaction);
      queues_.flush(db_);
      committing = true;
      db_.run("COMMIT");
      times_.add(transaction.spent_us());
      share_cost(batch.first(taken), transaction.spent_us());
    }
  } catch (const SQLite::Exception& error) {
    // If a lock outlasts the timeout for one of them, the others do not wait for it again.
    if (taken == 0) taken = failure_of(error) == Failure::busy ? batch.size() : 1;
    if (idle > 0) options_.on_claims(std::nullopt);
    return give_up_batch(batch.first(taken), error, committing);
  }
  note_lock(false);
  if (const std::string lost = files_.what_is_lost(); !lost.empty()) {
    fail(lost + " was removed or replaced while taskd was running");
    if (idle > 0) options_.on_claims(std::nullopt);
    for (Item& item : batch.first(taken)) item.error = stopped_error();
    complete(batch.first(taken));
    return Result::completed;
  }
  if (!transaction.changes().empty()) options_.on_commit(transaction.changes());
  if (idle > 0) options_.on_claims(std::move(claims));
  complete(batch.first(taken));
  return Result::completed;
}

// Gives the item its error, or throws SQLite::Exception if the whole transaction is lost. A single
// command needs no savepoint: the transaction serves as one.
void WriteQueue::run_command(Item& item, Transaction& transaction, bool alone) {
  if (item.when_full == WhenFull::refuse && !ballast_.restore()) {
    item.error = disk_full(ballast_);
    return;
  }
  const std::int64_t begun_us = thread_cpu_us();
  transaction.begin_command();
  if (!alone) db_.run("SAVEPOINT command");
  try {
    (*item.command)(transaction);
    propagate(transaction);
  } catch (const SQLite::Exception& error) {
    if (classify(db_, error) != Failure::command || !db_.in_transaction()) throw;
    item.error = std::current_exception();
  } catch (...) {
    item.error = std::current_exception();
  }
  if (item.error) {
    transaction.undo_command();
    if (alone) {
      db_.roll_back();
    } else {
      db_.run("ROLLBACK TO command");
    }
    if (queues_.has_new_settings()) queues_.reload_settings(db_, transaction.now());
  }
  if (!alone) db_.run("RELEASE command");
  *item.cpu_us += thread_cpu_us() - begun_us;
}

// Divides the shared cost, such as the COMMIT, in proportion to each command's own.
void WriteQueue::share_cost(std::span<Item> batch, std::int64_t spent_us) {
  std::int64_t own_us = 0;
  for (const Item& item : batch) own_us += *item.cpu_us;
  if (own_us == 0) return;
  for (Item& item : batch) *item.cpu_us = *item.cpu_us * std::max(spent_us, own_us) / own_us;
}

int WriteQueue::count_idle(const Transaction& transaction) const {
  if (!options_.idle_workers || transaction.short_of_space()) return 0;
  std::ptrdiff_t starts = 0;
  for (const Change& change : transaction.changes()) {
    if (change.lets_start()) ++starts;
    // Most likely claimed by the worker that reported an end.
    if (change.to == State::running) --starts;
  }
  if (starts <= 0) return 0;
  return options_.idle_workers(static_cast<int>(std::min(starts, kMaxClaimed)));
}

// Runs as the last command of the batch: if it fails, it fails alone.
std::optional<Claims> WriteQueue::claim_for(int idle, Transaction& transaction) {
  std::optional<Claims> claims;
  const Command command = [&](Transaction& open) { claims = claim_tasks(open, options_, idle); };
  std::int64_t cpu_us = 0;
  Item item{WhenFull::refuse, kDaemon, &command, {}, &cpu_us, {}};
  run_command(item, transaction, /*alone=*/false);
  return item.error ? std::nullopt : std::move(claims);
}

WriteQueue::Result WriteQueue::give_up_batch(std::span<Item> batch, const SQLite::Exception& error,
                                             bool committing) {
  Failure failure = classify(db_, error);
  // If a COMMIT fails for another reason, the contents of the disk are unknown.
  if (committing && failure != Failure::no_space) failure = Failure::fatal;
  try {
    if (failure != Failure::fatal) roll_back();
  } catch (const SQLite::Exception&) {
    failure = Failure::fatal;
  }
  if (failure == Failure::no_space) return Result::no_space;
  if (failure == Failure::fatal) fail(error.what());
  if (failure == Failure::busy) note_lock(true);
  for (Item& item : batch) {
    item.error = failure == Failure::busy ? store_busy(error) : stopped_error();
    if (!item.error) {
      item.error = std::make_exception_ptr(SQLite::Exception(error.what(), error.getErrorCode()));
    }
  }
  complete(batch);
  return Result::completed;
}

void WriteQueue::roll_back() {
  db_.roll_back();
  queues_.undo_transaction(db_);
}

void WriteQueue::complete(std::span<Item> batch) {
  for (Item& item : batch) item.done.set_value(std::move(item.error));
}

void WriteQueue::note_lock(bool is_locked) {
  if (is_locked == is_locked_) return;
  is_locked_ = is_locked;
  db_.set_busy_timeout_ms(is_locked ? kBusyTimeoutWhenLockedMs : kBusyTimeoutMs);
  if (is_locked) {
    log::warn(
        "another program has locked the database; nothing can be stored until it releases the lock",
        {{"path", options_.path}});
  } else {
    log::info("the database is no longer locked", {{"path", options_.path}});
  }
}

// Runs after the acknowledgements, so only the next batch waits for it. PASSIVE does not wait for
// readers; what a reader held back is copied the next time.
void WriteQueue::checkpoint_when_long() {
  const int pages = db_.wal_pages();
  if (pages < checkpointed_pages_) checkpointed_pages_ = 0;  // the WAL started over
  const int limit = ballast_.in_place() ? kCheckpointPages : kCheckpointPagesWhenFull;
  if (pages - checkpointed_pages_ < limit) return;
  try {
    checkpointed_pages_ = db_.checkpoint();
  } catch (const SQLite::Exception& error) {
    if (classify(db_, error) == Failure::fatal) fail(error.what());
  }
}

}  // namespace taskd
