// The order of claims: which task starts next. Queues that may start one take turns by their
// weights (QueueTable::turns(), limits/fair_share.h); within a queue the order is priority, then id
// (ReadyIndex), and the first task that fits the free capacity is picked.
//
// A task that reaches the head of the current queue and does not fit holds a reservation across all
// queues until it starts, another task becomes first in its queue, or its queue may start none
// (paused, at its limit). Tasks that start in the meantime, in its own queue too, cannot use what
// it reserved.
//
// Used by the writer thread alone.
#pragma once

#include <optional>

#include "daemon/limits/demand.h"
#include "daemon/store/write/transaction.h"

namespace taskd {

struct NextTask {
  std::optional<TaskId> task;     // empty: none may start now …
  std::optional<WallTime> later;  // … and when time will allow one
  Grant grant;
};

NextTask find_next_task(Transaction& transaction, const Machine& machine);

}  // namespace taskd
