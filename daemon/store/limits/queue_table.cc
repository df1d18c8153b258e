#include "daemon/store/limits/queue_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "daemon/limits/may_start.h"

namespace taskd {
namespace {

std::size_t index_of(State state) {
  return static_cast<std::size_t>(state);
}

// Skips invalid entries.
std::vector<Notify> read_notify(const Query& row, int column) {
  std::vector<Notify> list;
  for (std::string_view text = row.view(column); !text.empty();) {
    const std::size_t end = std::min(text.find(' '), text.size());
    auto notify = parse_notify(text.substr(0, end));
    if (std::holds_alternative<Notify>(notify)) {
      list.push_back(std::get<Notify>(std::move(notify)));
    } else {
      row.note_unreadable(column);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return list;
}

}  // namespace

std::string notify_to_stored(const std::vector<Notify>& list) {
  std::string text;
  for (const Notify& notify : list) text += (text.empty() ? "" : " ") + format_notify(notify);
  return text;
}

std::optional<RateLimit> read_rate(const Query& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  RateLimit rate{row.int64(column), row.int64(column + 1)};
  if (!row.is_null(column + 2)) rate.burst = row.int64(column + 2);
  const auto fits = [](std::int64_t value, std::int64_t max) { return value >= 1 && value <= max; };
  if (fits(rate.count, kMaxRateCount) && fits(rate.per_ms, kMaxRatePerMs) &&
      fits(rate.burst.value_or(1), rate.count)) {
    return rate;
  }
  row.note_unreadable(column);
  return std::nullopt;
}

std::string read_defaults(const Query& row, int column) {
  std::string text = row.text(column);
  if (text == "{}" || nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false).is_object())
    return text;
  row.note_unreadable(column);
  return "{}";
}

RecentStarts read_starts(const Query& row, int column) {
  return {groups_from_stored(row.text(column + 1)), row.int64(column)};
}

QueueInfo read_queue(const Query& row) {
  QueueInfo info;
  info.settings.name = row.text(0);
  info.settings.capacity = row.int64(1);
  if (!row.is_null(2)) info.settings.concurrency = row.integer(2);
  info.settings.weight = row.integer(3);
  info.settings.rate = read_rate(row, 4);
  if (!row.is_null(7)) info.paused = QueuePause{row.time(7), row.uid(8), row.text(9)};
  info.draining = row.int64(10) != 0;
  info.settings.notify = read_notify(row, 11);
  info.settings.defaults = read_defaults(row, 12);
  return info;
}

void QueueTable::load(Connection& db) {
  Queues fresh;
  Query queues = db.query(
      "SELECT name, capacity, concurrency, weight, rate_count, rate_per_ms, rate_burst, "
      "paused_at_ms,"
      " paused_by, paused_reason, draining, notify, defaults, rate_full_at_ns, rate_starts FROM "
      "queues");
  while (queues.step()) {
    QueueInfo info = read_queue(queues);
    Queue& queue = fresh[info.settings.name];
    queue.info = std::move(info);
    queue.starts = read_starts(queues, 13);
    const auto known = queues_.find(queue.info.settings.name);
    if (known != queues_.end()) queue.pass = known->second.pass;
  }
  Query counts = db.query("SELECT queue, state, count FROM counters");
  while (counts.step()) {
    const auto queue = fresh.find(counts.view(0));
    if (queue != fresh.end()) queue->second.info.count(counts.state(1)) += counts.int64(2);
  }
  queues_ = std::move(fresh);
  lines_.forget();
  journal_.clear();
}

void QueueTable::reload_settings(Connection& db, WallTime now) {
  has_new_settings_ = true;
  std::set<std::string, std::less<>> there;
  Query rows = db.query(
      "SELECT name, capacity, concurrency, weight, rate_count, rate_per_ms, rate_burst, "
      "paused_at_ms,"
      " paused_by, paused_reason, draining, notify, defaults, rate_full_at_ns, rate_starts FROM "
      "queues");
  while (rows.step()) {
    QueueInfo info = read_queue(rows);
    const auto [found, is_new] = queues_.try_emplace(info.settings.name);
    Queue& queue = found->second;
    there.insert(info.settings.name);
    std::copy(std::begin(queue.info.counts), std::end(queue.info.counts), std::begin(info.counts));
    queue.info = std::move(info);
    if (is_new) {
      queue.starts = read_starts(rows, 13);
      queue.changed.fill(true);  // it may have existed before, with other counts
    }
    if (const auto& rate = queue.info.settings.rate) {
      queue.starts = after_rewind(*rate, std::move(queue.starts), now);
      queue.starts_changed = true;
    }
  }
  std::erase_if(queues_, [&](const auto& entry) { return !there.contains(entry.first); });
}

std::int64_t QueueTable::total(std::string_view queue) const {
  std::int64_t sum = 0;
  for (const std::int64_t count : info(queue).counts) sum += count;
  return sum;
}

void QueueTable::add(const std::string& queue, State state, std::int64_t delta) {
  Queue& entry = queues_.at(queue);
  journal_.push_back({&entry, state, entry.info.count(state), {}});
  // A row in an unknown state was not counted in the one that it leaves.
  entry.info.count(state) = std::max<std::int64_t>(entry.info.count(state) + delta, 0);
  entry.changed[index_of(state)] = true;
}

std::int64_t QueueTable::running() const {
  std::int64_t sum = 0;
  for (const auto& [name, queue] : queues_) sum += queue.info.count(State::running);
  return sum;
}

QueueTable::Turns QueueTable::turns(WallTime now) const {
  Turns turns;
  std::vector<std::pair<std::int64_t, const std::string*>> ready;
  for (const auto& [name, queue] : queues_) {
    if (queue.info.count(State::queued) == 0) continue;
    if (const auto limit = find_queue_limit(queue.info, queue.starts, now)) {
      turns.later = earlier(turns.later, limit->until);
      continue;
    }
    ready.emplace_back(share_.standing(queue.pass), &name);
  }
  std::stable_sort(ready.begin(), ready.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [standing, name] : ready) turns.queues.push_back(name);
  return turns;
}

void QueueTable::take_turn(const std::string& name, WallTime now) {
  Queue& queue = queues_.at(name);
  journal_.push_back({&queue, std::nullopt, queue.pass, queue.starts});
  passes_.push_back({name, queue.pass});
  queue.pass = share_.take(queue.pass, queue.info.settings.weight);
  if (const auto& rate = queue.info.settings.rate) {
    queue.starts = after_start(*rate, std::move(queue.starts), now);
    queue.starts_changed = true;
  }
}

void QueueTable::rewind(WallTime now) {
  for (auto& [name, queue] : queues_) {
    const auto& rate = queue.info.settings.rate;
    if (!rate) continue;
    RecentStarts starts = after_rewind(*rate, queue.starts, now);
    if (starts == queue.starts) continue;
    journal_.push_back({&queue, std::nullopt, queue.pass, queue.starts});
    queue.starts = std::move(starts);
    queue.starts_changed = true;
  }
}

void QueueTable::undo() {
  lines_.forget();
  for (auto step = journal_.rbegin(); step != journal_.rend(); ++step) {
    if (step->state) {
      step->queue->info.count(*step->state) = step->before;
    } else {
      step->queue->pass = step->before;
      step->queue->starts = std::move(step->starts);
    }
  }
  journal_.clear();
  share_ = command_begin_.share;
  set_reservation(command_begin_.reservation);
  passes_.resize(command_begin_.passes);
}

void QueueTable::begin_transaction() {
  passes_.clear();
  transaction_begin_ = turns_so_far();
}

void QueueTable::undo_transaction(Connection& db) {
  for (auto pass = passes_.rbegin(); pass != passes_.rend(); ++pass) {
    const auto queue = queues_.find(pass->queue);
    if (queue != queues_.end()) queue->second.pass = pass->before;
  }
  share_ = transaction_begin_.share;
  set_reservation(transaction_begin_.reservation);
  passes_.clear();
  load(db);
}

void QueueTable::flush(Connection& db) {
  for (auto& [name, queue] : queues_) {
    for (const State state : kAllStates) {
      if (!queue.changed[index_of(state)]) continue;
      db.run(
          "INSERT INTO counters (queue, state, count) VALUES (?1, ?2, ?3)"
          " ON CONFLICT (queue, state) DO UPDATE SET count = excluded.count",
          name, state, queue.info.count(state));
      queue.changed[index_of(state)] = false;
    }
    if (!queue.starts_changed) continue;
    db.run("UPDATE queues SET rate_full_at_ns = ?2, rate_starts = ?3 WHERE name = ?1", name,
           queue.starts.full_at_ns, to_stored(queue.starts.groups));
    queue.starts_changed = false;
  }
}

}  // namespace taskd
