// Which task starts next: of the queues that may start one, in turns, the first in line that fits
// into what is left of the machine. Once one that does not fit was the first of all, it stays that
// until it starts, another comes first in its queue, or that queue may start none (paused, at its
// limit): turns that others take meanwhile, its own queue among them, take nothing from it.
//
// Used by the writer thread alone.
#pragma once

#include <optional>

#include "daemon/limits/demand.h"
#include "daemon/store/write/transaction.h"

namespace taskd {

struct NextTask {
  std::optional<TaskId> task;     // empty: none may start now …
  std::optional<WallTime> later;  // … and when time alone will let one
  Grant grant;
};

NextTask find_next_task(Transaction& transaction, const Machine& machine);

}  // namespace taskd
