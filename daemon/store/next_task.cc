#include "daemon/store/next_task.h"

#include <algorithm>

namespace taskd {
namespace {

// The first of a queue's tasks with these needs.
struct Head {
  TaskId task;
  int priority;
  Needs needs;
};

// Few tasks run, so what they have is read anew each time.
Room room_left(Transaction& transaction, const Machine& machine) {
  Room room(machine);
  std::int64_t usual = transaction.queues().running();
  Query rows = transaction.db().query(
      "SELECT t.needs, a.granted FROM tasks t INDEXED BY tasks_running_needs"
      " JOIN attempts a ON a.task_id = t.id AND a.number = t.attempt"
      " WHERE t.state = 'running' AND t.needs <> ''");
  while (rows.step()) {
    room.take(needs_from_stored(rows.text(0)), grant_from_stored(rows.text(1)));
    --usual;
  }
  Needs all_usual;
  all_usual.slots = static_cast<int>(usual);
  room.take(all_usual, {});
  return room;
}

std::optional<Head> head_with(Connection& db, const std::string& queue, const std::string& needs) {
  Query row = db.query(
      "SELECT id, priority FROM tasks INDEXED BY tasks_ready WHERE state = 'queued'"
      " AND queue = ?1 AND needs = ?2 ORDER BY priority DESC, id LIMIT 1");
  if (!row.bind(queue, needs).step()) return std::nullopt;
  return Head{row.int64(0), row.integer(1), needs_from_stored(needs)};
}

std::optional<std::string> needs_after(Connection& db, const std::string& queue,
                                       const std::string& needs) {
  Query row = db.query(
      "SELECT needs FROM tasks INDEXED BY tasks_ready WHERE state = 'queued'"
      " AND queue = ?1 AND needs > ?2 ORDER BY needs LIMIT 1");
  if (!row.bind(queue, needs).step()) return std::nullopt;
  return row.text(0);
}

// One for each kind of needs in the queue, the first in line first. What cannot start here at all
// (the machine was larger once) is passed over and holds up nobody.
std::vector<Head> heads_of(Connection& db, const Machine& machine, const std::string& queue) {
  std::vector<Head> heads;
  if (auto usual = head_with(db, queue, "")) heads.push_back(*std::move(usual));
  for (auto needs = needs_after(db, queue, ""); needs; needs = needs_after(db, queue, *needs)) {
    heads.push_back(head_with(db, queue, *needs).value());
  }
  std::erase_if(heads, [&](const Head& head) { return find_unmet(machine, head.needs); });
  std::sort(heads.begin(), heads.end(), [](const Head& a, const Head& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.task < b.task;
  });
  return heads;
}

// The task for which all make room, unless its queue may not start one now or another one has come
// first there: then there is none any more.
std::optional<Head> find_front(Transaction& transaction, const Machine& machine,
                               const QueueTable::Turns& turns) {
  const std::optional<QueueTable::Front>& front = transaction.queues().front();
  if (!front) return std::nullopt;
  for (const std::string* queue : turns.queues) {
    if (*queue != front->queue) continue;
    std::vector<Head> heads = heads_of(transaction.db(), machine, *queue);
    if (!heads.empty() && heads.front().task == front->task) return std::move(heads.front());
  }
  transaction.queues().set_front(std::nullopt);
  return std::nullopt;
}

// Starts it, or keeps from those behind it what it needs.
bool try_start(const Head& head, Room& room, NextTask& next) {
  if (!room.fits(head.needs)) {
    room.keep(head.needs);
    return false;
  }
  next.task = head.task;
  next.grant = room.choose(head.needs);
  return true;
}

}  // namespace

NextTask find_next_task(Transaction& transaction, const Machine& machine) {
  NextTask next;
  const QueueTable::Turns turns = transaction.queues().turns(transaction.now());
  next.later = turns.later;
  std::optional<Head> front = find_front(transaction, machine, turns);
  if (turns.queues.empty()) return next;
  Room room = room_left(transaction, machine);
  if (front && room.has_slots() && try_start(*front, room, next)) return next;
  for (const std::string* queue : turns.queues) {
    if (!room.has_slots()) return next;
    for (const Head& head : heads_of(transaction.db(), machine, *queue)) {
      if (front && head.task == front->task) continue;
      if (try_start(head, room, next)) return next;
      if (front) continue;
      front = head;
      transaction.queues().set_front(QueueTable::Front{*queue, head.task});
    }
  }
  return next;
}

}  // namespace taskd
