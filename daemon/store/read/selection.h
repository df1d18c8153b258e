// What a filter means: in SQL for many tasks, and in C++ for one. Both say the same.
#pragma once

#include <vector>

#include "daemon/store/task_store.h"
#include "daemon/store/write/transaction.h"

namespace taskd {

// The ids of the tasks that a list shows, in its order. Ids alone, so that every row is read once.
std::vector<TaskId> select_ids(Connection& db, const ListRequest& request);

// The states of the tasks that the filter can match, each once.
std::vector<State> states_of(const Filter& filter);

// Whether the filter matches the task as it is.
bool matches(Connection& db, const Filter& filter, const StoredTask& task);

}  // namespace taskd
