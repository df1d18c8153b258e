#include "daemon/store/limits/workflows.h"

#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

// Approximate number of tasks counted for one page of workflows.
constexpr std::int64_t kMaxCounted = 20'000;

Workflow read_workflow(const Query& row) {
  Workflow workflow;
  workflow.id = row.int64(0);
  workflow.uid = row.uid(1);
  workflow.name = row.text(2);
  workflow.created_at = row.time(3);
  return workflow;
}

void count_tasks(Connection& db, Workflow& workflow) {
  Query rows = db.query(
      "SELECT state, count(*), max(attempt) FROM tasks INDEXED BY tasks_of_workflow"
      " WHERE workflow_id = ?1 GROUP BY state");
  rows.bind(workflow.id);
  while (rows.step()) {
    workflow.counts[static_cast<std::size_t>(rows.state(0))] += rows.int64(1);
    workflow.begun |= rows.int64(2) > 0;
  }
}

// See is_skipped().
void find_skipped(Connection& db, Workflow& workflow) {
  if (workflow.counts[static_cast<std::size_t>(State::cancelled)] == 0) return;
  Query rows = db.query(
      "SELECT id FROM tasks INDEXED BY tasks_of_workflow"
      " WHERE workflow_id = ?1 AND state = 'cancelled' AND EXISTS (SELECT 1 FROM dependencies"
      " INDEXED BY dependencies_open WHERE task_id = tasks.id AND dependencies.state <> 'met'"
      " AND dependencies.state <> 'pending') ORDER BY id");
  rows.bind(workflow.id);
  while (rows.step()) workflow.skipped.push_back(rows.int64(0));
}

}  // namespace

WorkflowId insert_workflow(Transaction& transaction, std::uint32_t uid, const std::string& name) {
  transaction.db().run("INSERT INTO workflows (uid, name, created_at_ms) VALUES (?1, ?2, ?3)", uid,
                       name, transaction.now());
  return transaction.db().last_id();
}

void forget_unused_workflow(Connection& db, WorkflowId workflow) {
  db.run(
      "DELETE FROM workflows WHERE id = ?1 AND NOT EXISTS"
      " (SELECT 1 FROM tasks INDEXED BY tasks_of_workflow WHERE workflow_id = ?1)",
      workflow);
}

std::optional<Workflow> StoreTasks::workflow(const Actor& actor, WorkflowId id) {
  return impl_->read([&](Connection& db) -> std::optional<Workflow> {
    Query row = db.query("SELECT id, uid, name, created_at_ms FROM workflows WHERE id = ?1");
    if (!row.bind(id).step()) return std::nullopt;
    Workflow workflow = read_workflow(row);
    if (!actor.admin && workflow.uid != actor.uid) return std::nullopt;
    count_tasks(db, workflow);
    find_skipped(db, workflow);
    return workflow;
  });
}

StoreTasks::Workflows StoreTasks::workflows(const Actor& actor, std::optional<WorkflowId> before,
                                            int limit) {
  return impl_->read([&](Connection& db) {
    const WorkflowId end = before.value_or(std::numeric_limits<WorkflowId>::max());
    Query rows = actor.admin
                     ? db.query(
                           "SELECT id, uid, name, created_at_ms FROM workflows WHERE id < ?2"
                           " AND ?1 IS NOT NULL ORDER BY id DESC")
                     : db.query(
                           "SELECT id, uid, name, created_at_ms FROM workflows"
                           " INDEXED BY workflows_of_user WHERE uid = ?1 AND id < ?2"
                           " ORDER BY id DESC");
    rows.bind(actor.uid, end);
    Workflows page;
    std::int64_t counted = 0;
    while (rows.step()) {
      page.more = std::ssize(page.workflows) == limit || counted >= kMaxCounted;
      if (page.more) break;
      Workflow& workflow = page.workflows.emplace_back(read_workflow(rows));
      count_tasks(db, workflow);
      find_skipped(db, workflow);
      for (const std::int64_t count : workflow.counts) counted += count;
    }
    return page;
  });
}

}  // namespace taskd
