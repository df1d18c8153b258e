#include "daemon/store/queue_table.h"

namespace taskd {
namespace {

std::size_t index_of(State state) {
  return static_cast<std::size_t>(state);
}

}  // namespace

void QueueTable::load(Connection& db) {
  queues_.clear();
  journal_.clear();
  Query queues = db.query("SELECT name, capacity FROM queues");
  while (queues.step()) queues_[queues.text(0)].capacity = queues.int64(1);
  Query counts = db.query("SELECT queue, state, count FROM counters");
  while (counts.step()) {
    queues_.at(counts.text(0)).counts[index_of(counts.state(1))] = counts.int64(2);
  }
}

std::int64_t QueueTable::waiting(const std::string& queue) const {
  const auto& counts = queues_.at(queue).counts;
  std::int64_t sum = 0;
  for (const State state : {State::scheduled, State::blocked, State::held, State::queued}) {
    sum += counts[index_of(state)];
  }
  return sum;
}

void QueueTable::add(const std::string& queue, State state, std::int64_t delta) {
  Queue& entry = queues_.at(queue);
  entry.counts[index_of(state)] += delta;
  entry.changed[index_of(state)] = true;
  journal_.push_back({&entry, index_of(state), delta});
}

void QueueTable::undo() {
  for (const Step& step : journal_) step.queue->counts[step.state] -= step.delta;
  journal_.clear();
}

void QueueTable::flush(Connection& db) {
  for (auto& [name, queue] : queues_) {
    for (const State state : kAllStates) {
      if (!queue.changed[index_of(state)]) continue;
      db.run(
          "INSERT INTO counters (queue, state, count) VALUES (?1, ?2, ?3)"
          " ON CONFLICT (queue, state) DO UPDATE SET count = excluded.count",
          name, state, queue.counts[index_of(state)]);
      queue.changed[index_of(state)] = false;
    }
  }
}

}  // namespace taskd
