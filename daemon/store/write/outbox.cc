#include "daemon/store/write/outbox.h"

#include <algorithm>

#include "daemon/base/random.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

constexpr char kUndeclared[] = "no hook of this name is declared";

struct Recipient {
  std::string hook;
  std::optional<std::size_t> index;  // index in the declared hooks
};

// Adds the hooks in `list` that want the event to `recipients`, unless present.
void add_recipients(const std::vector<HookRule>& hooks, const std::vector<Notify>& list,
                    HookEvent event, std::vector<Recipient>& recipients) {
  for (const Notify& notify : list) {
    const auto rule = std::find_if(hooks.begin(), hooks.end(),
                                   [&](const HookRule& r) { return r.name == notify.hook; });
    const bool declared = rule != hooks.end();
    const HookEvents on = !notify.on.empty() ? notify.on : declared ? rule->on : kTheEnds;
    const bool known = std::any_of(recipients.begin(), recipients.end(),
                                   [&](const Recipient& t) { return t.hook == notify.hook; });
    if (known || !on.contains(event)) continue;
    recipients.push_back({notify.hook, {}});
    if (declared) recipients.back().index = static_cast<std::size_t>(rule - hooks.begin());
  }
}

// Whether another delivery to this hook about this task must come first.
bool must_wait(Connection& db, const std::string& hook, TaskId task) {
  Query row = db.query(
      "SELECT 1 FROM deliveries INDEXED BY deliveries_pending"
      " WHERE hook = ?1 AND task_id = ?2 AND state = 'pending' LIMIT 1");
  return row.bind(hook, task).step();
}

}  // namespace

bool Outbox::declares(const std::string& hook) const {
  return std::any_of(hooks_.begin(), hooks_.end(),
                     [&](const HookRule& rule) { return rule.name == hook; });
}

std::uint64_t Outbox::notify(Connection& db, WallTime now, const StoredTask& task, HookEvent event,
                             const std::vector<Notify>& queue) const {
  std::vector<Recipient> recipients;
  add_recipients(hooks_, task.policy.notify, event, recipients);
  add_recipients(hooks_, queue, event, recipients);
  if (recipients.empty()) return 0;
  std::uint64_t hooks = 0;
  std::optional<std::string> description;
  for (const Recipient& one : recipients) {
    if (!one.index) {
      db.run(
          "INSERT INTO deliveries (delivery_id, task_id, hook, event, at_ms, state, done_at_ms,"
          " tried_at_ms, error, uid) VALUES (?1, ?2, ?3, ?4, ?5, 'failed', ?5, ?5, ?6, ?7)",
          random_token(), task.id, one.hook, to_string(event), now, kUndeclared, task.uid);
      continue;
    }
    if (!description) description = describe_task_(to_task(db, task));
    const bool waits = must_wait(db, one.hook, task.id);
    db.run(
        "INSERT INTO deliveries (delivery_id, task_id, hook, event, at_ms, task, state, next_at_ms,"
        " uid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?8)",
        random_token(), task.id, one.hook, to_string(event), now, *description,
        waits ? std::nullopt : std::optional(now), task.uid);
    if (!waits) hooks |= std::uint64_t{1} << *one.index;
  }
  return hooks;
}

// Stored once, however many deliveries need it, since it may be large. A macro, since statements
// are literals.
#define KEEP_FOR_DELIVERIES(spec)                                                             \
  "INSERT INTO delivery_specs (task_id, last_seq, spec) SELECT * FROM (SELECT ?1, seq, " spec \
  " AS spec FROM deliveries INDEXED BY deliveries_of_task WHERE task_id = ?1"                 \
  " AND state = 'pending'"                                                                    \
  " AND seq > coalesce((SELECT max(last_seq) FROM delivery_specs WHERE task_id = ?1), 0)"     \
  " ORDER BY seq DESC LIMIT 1) WHERE spec IS NOT NULL"

void keep_delivery_spec(Connection& db, TaskId task) {
  db.run(KEEP_FOR_DELIVERIES(
             "coalesce((SELECT spec FROM task_specs WHERE task_id = ?1),"
             " (SELECT a.spec FROM tasks t CROSS JOIN array_specs a ON a.array_id = t.array_id"
             "  WHERE t.id = ?1))"),
         task);
}

void keep_spec_of_removed(Connection& db, TaskId task) {
  db.run(KEEP_FOR_DELIVERIES("(SELECT spec FROM task_specs WHERE task_id = ?1)"), task);
}

std::optional<TaskId> array_around(Connection& db, TaskId task) {
  Query row = db.query(
      "SELECT id FROM arrays WHERE id = (SELECT max(id) FROM arrays WHERE id <= ?1)"
      " AND ?1 < id + count");
  if (!row.bind(task).step()) return std::nullopt;
  return row.int64(0);
}

void forget_delivery_specs(Connection& db, TaskId task) {
  db.run(
      "DELETE FROM delivery_specs WHERE task_id = ?1 AND NOT EXISTS"
      " (SELECT 1 FROM deliveries INDEXED BY deliveries_of_task WHERE task_id = ?1"
      "  AND seq <= delivery_specs.last_seq AND state = 'pending')",
      task);
}

}  // namespace taskd
