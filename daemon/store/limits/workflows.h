// Workflows, as the writer sees them: a row that their tasks point to, and their steps' needs
// turned into dependencies.
//
// Used by the writer thread alone.
#pragma once

#include "daemon/store/write/transaction.h"
#include "daemon/task/workflow.h"

namespace taskd {

WorkflowId insert_workflow(Transaction& transaction, std::uint32_t uid, const std::string& name);

// After the last of its tasks is removed.
void forget_unused_workflow(Connection& db, WorkflowId workflow);

}  // namespace taskd
