#include <algorithm>
#include <stdexcept>

#include "daemon/base/digest.h"
#include "daemon/base/random.h"
#include "daemon/store/limits/concurrency_keys.h"
#include "daemon/store/limits/dependencies.h"
#include "daemon/store/store_impl.h"
#include "daemon/store/tasks/next_task.h"

namespace taskd {
namespace {

Claim to_claim(Connection& db, const StoredTask& task) {
  Claim claim;
  claim.task = task.id;
  claim.attempt = task.row.attempt;
  claim.token = task.row.token.value_or("");
  claim.uid = task.uid;
  claim.cancel_requested = task.row.cancel_requested_at.has_value();
  claim.array = task.array;
  claim.has_dependencies = has_dependencies(db, task.id);
  return claim;
}

// Hands the spec's text to the worker, which parses it.
void hand_on_spec(const StoredTask& task, std::optional<std::string> text, Claim& claim) {
  claim.spec.queue = task.queue;
  claim.spec.name = task.name;
  claim.spec.priority = task.priority;
  claim.unreadable = task.unreadable;
  if (claim.unreadable.empty()) claim.spec_text = std::move(text).value_or("null");
}

bool is_live(const std::optional<StoredTask>& task, int attempt, const std::string& token) {
  return task && task->row.state == State::running && task->row.attempt == attempt &&
         task->row.token == token;
}

void reject_stale(Transaction& transaction, TaskId task, int attempt, std::string_view what) {
  transaction.add_event(task, attempt, {.type = "stale_rejected", .detail = std::string(what)});
}

void expect_one_attempt(int changed, const Finish& finish) {
  if (changed == 1) return;
  throw std::logic_error("task " + std::to_string(finish.task) + " has no live attempt " +
                         std::to_string(finish.attempt));
}

// Requires that the task's token was checked.

// Undoes the attempt; its number is used again.
void forget_attempt(Connection& db, const Finish& finish, TaskRow& row) {
  expect_one_attempt(db.run("DELETE FROM attempts WHERE task_id = ?1 AND number = ?2"
                            " AND ended_at_ms IS NULL",
                            finish.task, finish.attempt),
                     finish);
  --row.attempt;
  Query before = db.query("SELECT started_at_ms FROM attempts WHERE task_id = ?1 AND number = ?2");
  row.started_at = std::nullopt;
  if (before.bind(finish.task, row.attempt).step()) row.started_at = before.time(0);
}

void close_attempt(Connection& db, const Finish& finish, const Outcome& outcome,
                   WallTime ended_at) {
  const AttemptEnd& end = finish.end;
  expect_one_attempt(
      db.run("UPDATE attempts SET ended_at_ms = ?3, outcome = ?4, code = ?5, detail = ?6,"
             " user_cpu_ms = ?7, system_cpu_ms = ?8, max_rss_bytes = ?9, stderr_tail = ?10,"
             " stdout_dropped_bytes = ?11, stderr_dropped_bytes = ?12"
             " WHERE task_id = ?1 AND number = ?2 AND ended_at_ms IS NULL",
             finish.task, finish.attempt, ended_at, to_string(outcome.kind), outcome.code,
             outcome.detail, end.usage.user_cpu_ms, end.usage.system_cpu_ms,
             end.usage.max_rss_bytes, end.stderr_tail, end.stdout_dropped_bytes,
             end.stderr_dropped_bytes),
      finish);
}

std::string_view event_type(const Outcome& outcome, Event event) {
  if (outcome.kind == OutcomeKind::not_started) return "not_started";
  if (event == Event::retry_later) return "retry_scheduled";
  if (event == Event::rerun) return "lost";
  return "finished";
}

std::string event_detail(const Outcome& outcome, const EndDecision& decision) {
  std::string detail = "outcome=" + std::string(to_string(outcome.kind));
  detail += " code=" + std::to_string(outcome.code);
  if (decision.reason) detail += " reason=" + std::string(to_string(*decision.reason));
  return detail;
}

void record_end(Transaction& transaction, StoredTask& task, const Finish& finish) {
  Outcome outcome = judge_result(task.policy, finish.end);
  // Who stopped the shim matters only if nobody asked for a cancel.
  if (outcome.kind == OutcomeKind::cancelled && task.row.cancel_requested_at) {
    outcome.detail.clear();
  }
  // At most now: a later time comes from a clock that was ahead and has been corrected.
  const WallTime ended_at =
      std::min(finish.end.ended_at.value_or(transaction.now()), transaction.now());
  const EndDecision decision = decide_end(
      task.policy, {task.row.tries, task.row.lost, task.row.start_failures},
      task.row.cancel_requested_at.has_value(), outcome, random_unit(), finish.end.planned_stop);
  TaskRow after = task.row;
  if (outcome.kind == OutcomeKind::not_started) {
    forget_attempt(transaction.db(), finish, after);
  } else {
    close_attempt(transaction.db(), finish, outcome, ended_at);
    if (finish.end.result) {
      write_result(transaction.db(), task.id, finish.attempt, ended_at, *finish.end.result);
    }
  }
  after.token = std::nullopt;
  after.reason = decision.reason;
  after.tries += decision.spends_try ? 1 : 0;
  after.lost += decision.counts_lost ? 1 : 0;
  after.start_failures = decision.counts_start_failure ? after.start_failures + 1 : 0;
  after.due_at = std::nullopt;
  const Event event = decision.event;
  // A back-off runs from the end, however late that is recorded: clock_step_back.cc relies on it.
  if (event == Event::retry_later) {
    after.due_at =
        (decision.counts_start_failure ? transaction.now() : ended_at) + decision.delay_ms;
  }
  if (event != Event::retry_later && event != Event::rerun) {
    end_row(after, task, ended_at, transaction.now());
  }
  transaction.transition(
      task, event, after,
      {.type = event_type(outcome, event), .detail = event_detail(outcome, decision)});
}

bool finish_one(Transaction& transaction, const Finish& finish) {
  std::optional<StoredTask> task = load_task(transaction.db(), finish.task);
  if (!is_live(task, finish.attempt, finish.token)) {
    reject_stale(transaction, finish.task, finish.attempt,
                 "finish outcome=" + std::string(to_string(finish.end.outcome.kind)));
    return false;
  }
  record_end(transaction, *task, finish);
  return true;
}

}  // namespace

void end_row(TaskRow& row, const StoredTask& task, WallTime ended_at, WallTime now) {
  row.ended_at = ended_at;
  row.prune_at = std::max({ended_at + task.policy.keep_ms, now + kMinKeepMs,
                           task.created_at + task.policy.unique_for_ms});
}

Claims claim_tasks(Transaction& transaction, const StoreOptions& options, int limit) {
  Claims result;
  for (;;) {
    propagate(transaction);
    const NextTask next = find_next_task(transaction, options.machine);
    result.more = next.task.has_value();
    result.later = next.later;
    if (!next.task || std::ssize(result.claims) >= limit) return result;
    if (!result.claims.empty() && transaction.is_spent()) return result;
    StoredTask task = must_load(transaction.db(), *next.task);
    TaskRow after = task.row;
    ++after.attempt;
    const std::string secret = random_token();
    after.token = token_of(secret);
    after.started_at = transaction.now();
    if (after.attempt > 1) forget_reports(transaction.db(), task.id);
    transaction.db().run(
        "INSERT INTO attempts (task_id, number, token, boot_id, started_at_ms, granted)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        task.id, after.attempt, after.token, options.boot_id, after.started_at,
        to_stored(next.grant));
    transaction.transition(task, Event::claim, after, {.type = "claimed"});
    transaction.queues().take_turn(task.queue, transaction.now());
    if (task.key) count_key_start(transaction, *task.key);
    Claim& claim = result.claims.emplace_back(to_claim(transaction.db(), task));
    claim.grant = next.grant;
    claim.secret = secret;
    hand_on_spec(task, transaction.spec_text(task), claim);
  }
}

void read_spec(Claim& claim) {
  if (claim.spec_text.empty()) return;
  try {
    spec_from_stored(claim.spec_text, claim.spec);
  } catch (const std::runtime_error& error) {
    claim.unreadable = error.what();
  }
  claim.spec_text.clear();
}

int give_up_running(Transaction& transaction) {
  std::vector<TaskId> running;
  {
    Query rows = transaction.db().query(
        "SELECT id FROM tasks INDEXED BY tasks_in_state WHERE state = 'running'");
    while (rows.step()) running.push_back(rows.int64(0));
  }
  for (const TaskId id : running) {
    StoredTask task = must_load(transaction.db(), id);
    task.policy.on_lost = OnLost::fail;
    Finish finish{id, task.row.attempt, task.row.token.value_or(""), {}};
    finish.end.outcome = {
        OutcomeKind::lost, 0,
        "it was running when the store was copied; how it ended is unknown"};
    record_end(transaction, task, finish);
  }
  return static_cast<int>(running.size());
}

Claims StoreExecution::claim(int limit) {
  Claims result = impl_->write(WhenFull::refuse, [&](Transaction& transaction) {
    return claim_tasks(transaction, impl_->options, limit);
  });
  for (Claim& claim : result.claims) read_spec(claim);
  return result;
}

std::vector<FinishResult> StoreExecution::finish(std::span<const Finish> finishes,
                                                 int claim_limit) {
  auto all = impl_->write(WhenFull::use_ballast, [&](Transaction& transaction) {
    std::vector<FinishResult> results;
    for (const Finish& finish : finishes) {
      results.push_back({finish_one(transaction, finish), {}});
    }
    if (claim_limit > 0 && !results.empty() && !transaction.short_of_space()) {
      results.back().next = claim_tasks(transaction, impl_->options, claim_limit);
    }
    return results;
  });
  for (FinishResult& result : all) {
    for (Claim& claim : result.next.claims) read_spec(claim);
  }
  return all;
}

std::vector<Claim> StoreExecution::running_attempts() {
  return impl_->read([](Connection& db) {
    std::vector<Claim> claims;
    Query rows = db.query(
        "SELECT t.id, a.boot_id FROM tasks t INDEXED BY tasks_in_state"
        " JOIN attempts a ON a.task_id = t.id AND a.number = t.attempt"
        " WHERE t.state = 'running' ORDER BY t.id");
    while (rows.step()) {
      const StoredTask task = must_load(db, rows.int64(0));
      Claim& claim = claims.emplace_back(to_claim(db, task));
      hand_on_spec(task, stored_spec(db, task), claim);
      read_spec(claim);
      claim.boot_id = rows.text(1);
    }
    return claims;
  });
}

void StoreExecution::record_adopted(TaskId task, int attempt, const std::string& token) {
  impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
    if (is_live(load_task(transaction.db(), task), attempt, token)) {
      transaction.add_event(task, attempt, {.type = "adopted"}, State::running, State::running);
    } else {
      reject_stale(transaction, task, attempt, "adopt");
    }
  });
}

}  // namespace taskd
