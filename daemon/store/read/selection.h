// What a filter matches: in SQL for many tasks, and in C++ for one. Both must agree.
#pragma once

#include <vector>

#include "daemon/store/task_store.h"
#include "daemon/store/write/transaction.h"

namespace taskd {

// The ids of the tasks that a list shows, in its order. Only ids, so that each row is read once.
std::vector<TaskId> select_ids(Connection& db, const ListRequest& request);

// The states that matching tasks can have, each once.
std::vector<State> states_of(const Filter& filter);

// Whether the filter matches the task in its current state.
bool matches(Connection& db, const Filter& filter, const StoredTask& task);

}  // namespace taskd
