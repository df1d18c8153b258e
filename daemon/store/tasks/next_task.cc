#include "daemon/store/tasks/next_task.h"

#include <algorithm>

#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

using Head = ReadyIndex::Head;

// It can never start here, since the machine was larger before: it is skipped and blocks nobody.
bool never_fits(const Machine& machine, const Head& head) {
  return find_unmet(machine, *head.demand).has_value();
}

// The task with the reservation. The reservation ends if its queue may not start a task now or
// another task has become first there.
std::optional<Head> find_reserved(Transaction& transaction, const Machine& machine,
                               const QueueTable::Turns& turns) {
  QueueTable& queues = transaction.queues();
  const std::optional<QueueTable::Reservation>& reservation = queues.reservation();
  if (!reservation) return std::nullopt;
  for (const std::string* queue : turns.queues) {
    if (*queue != reservation->queue) continue;
    const auto& heads = queues.lines().heads(transaction.db(), *queue);
    const auto first = std::find_if(heads.begin(), heads.end(),
                                    [&](const Head& head) { return !never_fits(machine, head); });
    if (first != heads.end() && first->task == reservation->task) return *first;
  }
  queues.set_reservation(std::nullopt);
  return std::nullopt;
}

// Starts it, or reserves what it needs.
bool try_start(const Head& head, FreeCapacity& free_capacity, NextTask& next) {
  if (!free_capacity.fits(*head.demand)) {
    free_capacity.keep(*head.demand);
    return false;
  }
  next.task = head.task;
  next.grant = free_capacity.choose(*head.demand);
  return true;
}

}  // namespace

NextTask find_next_task(Transaction& transaction, const Machine& machine) {
  NextTask next;
  QueueTable& queues = transaction.queues();
  const QueueTable::Turns turns = queues.turns(transaction.now());
  next.later = turns.later;
  std::optional<Head> reservation = find_reserved(transaction, machine, turns);
  if (turns.queues.empty()) return next;
  FreeCapacity free_capacity(machine);
  free_capacity.take(load_allocation(transaction.db(), queues.running()));
  if (reservation && free_capacity.has_slots() && try_start(*reservation, free_capacity, next)) return next;
  for (const std::string* queue : turns.queues) {
    for (const Head& head : queues.lines().heads(transaction.db(), *queue)) {
      if (!free_capacity.has_slots()) return next;
      if (reservation && head.task == reservation->task) continue;
      if (reservation && free_capacity.is_spent(*head.demand))
        continue;  // and there is nothing to reserve for it
      if (never_fits(machine, head)) continue;
      if (try_start(head, free_capacity, next)) return next;
      if (reservation) continue;
      reservation = head;
      queues.set_reservation(QueueTable::Reservation{*queue, head.task});
    }
  }
  return next;
}

}  // namespace taskd
