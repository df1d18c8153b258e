// Workflows, on the writer thread: a row that their tasks point to; needs between steps become
// dependencies.
//
// Used by the writer thread alone.
#pragma once

#include "daemon/store/write/transaction.h"
#include "daemon/task/workflow.h"

namespace taskd {

WorkflowId insert_workflow(Transaction& transaction, std::uint32_t uid, const std::string& name);

// Call after the last task of the workflow is removed.
void forget_unused_workflow(Connection& db, WorkflowId workflow);

}  // namespace taskd
