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

// One for each kind of needs in the queue, the first in line first.
std::vector<Head> heads_of(Connection& db, const std::string& queue) {
  std::vector<Head> heads;
  if (auto usual = head_with(db, queue, "")) heads.push_back(*std::move(usual));
  for (auto needs = needs_after(db, queue, ""); needs; needs = needs_after(db, queue, *needs)) {
    heads.push_back(head_with(db, queue, *needs).value());
  }
  std::sort(heads.begin(), heads.end(), [](const Head& a, const Head& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.task < b.task;
  });
  return heads;
}

}  // namespace

NextTask find_next_task(Transaction& transaction, const Machine& machine) {
  NextTask next;
  const QueueTable::Turns turns = transaction.queues().turns(transaction.now());
  next.later = turns.later;
  if (turns.queues.empty()) return next;
  Room room = room_left(transaction, machine);
  for (const std::string* queue : turns.queues) {
    if (!room.has_slots()) return next;
    for (const Head& head : heads_of(transaction.db(), *queue)) {
      if (room.fits(head.needs)) {
        next.task = head.task;
        next.grant = room.choose(head.needs);
        return next;
      }
      // What cannot start here at all (the machine was larger once) holds up nobody.
      if (!find_unmet(machine, head.needs)) room.keep(head.needs);
    }
  }
  return next;
}

}  // namespace taskd
