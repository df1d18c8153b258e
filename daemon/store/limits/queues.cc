#include "daemon/store/limits/arrays.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

constexpr std::string_view kDefaultQueue = "default";

std::string reason_detail(const std::string& why) {
  return why.empty() ? "" : " why=" + why;
}

void write_settings(Connection& db, const QueueSettings& settings) {
  const auto& rate = settings.rate;
  db.run(
      "INSERT INTO queues (name, capacity, concurrency, weight, rate_count, rate_per_ms, notify,"
      " defaults, rate_burst) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (name) DO "
      "UPDATE SET"
      " capacity = excluded.capacity, concurrency = excluded.concurrency,"
      " weight = excluded.weight, rate_count = excluded.rate_count,"
      " rate_per_ms = excluded.rate_per_ms, rate_burst = excluded.rate_burst, notify = "
      "excluded.notify,"
      " defaults = excluded.defaults",
      settings.name, settings.capacity, settings.concurrency, settings.weight,
      rate ? std::optional(rate->count) : std::nullopt,
      rate ? std::optional(rate->per_ms) : std::nullopt, notify_to_stored(settings.notify),
      settings.defaults, rate ? rate->burst : std::nullopt);
}

void apply(Connection& db, const QueuePatch& patch, QueueSettings settings) {
  settings.name = patch.name;
  if (patch.capacity) settings.capacity = *patch.capacity;
  if (patch.concurrency) settings.concurrency = *patch.concurrency;
  if (patch.rate) settings.rate = *patch.rate;
  if (patch.weight) settings.weight = *patch.weight;
  if (patch.notify) settings.notify = *patch.notify;
  if (patch.defaults) settings.defaults = *patch.defaults;
  write_settings(db, settings);
}

// Call after the queues' rows changed: updates the writer's table and wakes the workers.
void reload(Transaction& transaction) {
  transaction.queues().reload_settings(transaction.db(), transaction.now());
  transaction.add_limits_change();
}

std::string_view event_type(QueueVerb verb) {
  switch (verb) {
    case QueueVerb::pause:
      return "queue_paused";
    case QueueVerb::resume:
      return "queue_resumed";
    case QueueVerb::drain:
      return "queue_draining";
  }
  return "";
}

void note(Transaction& transaction, std::string_view type, const Actor& actor, std::string detail) {
  transaction.add_event(std::nullopt, std::nullopt,
                        {.type = type, .actor_uid = actor.uid, .detail = std::move(detail)});
}

void set_row(Transaction& transaction, const Actor& actor, const std::string& queue, QueueVerb verb,
             const std::string& why) {
  Connection& db = transaction.db();
  switch (verb) {
    case QueueVerb::pause:
      db.run(
          "UPDATE queues SET paused_at_ms = coalesce(paused_at_ms, ?2), paused_by = ?3, "
          "paused_reason "
          "= ?4 WHERE name = ?1",
          queue, transaction.now(), actor.uid, why);
      break;
    case QueueVerb::resume:
      db.run(
          "UPDATE queues SET paused_at_ms = NULL, paused_by = NULL, paused_reason = '', draining = "
          "0"
          " WHERE name = ?1",
          queue);
      break;
    case QueueVerb::drain:
      db.run("UPDATE queues SET draining = 1 WHERE name = ?1", queue);
      break;
  }
}

std::vector<std::string> schedules_of(Connection& db, const std::string& queue) {
  std::vector<std::string> names;
  Query rows = db.query("SELECT name FROM schedules WHERE queue = ?1 ORDER BY name");
  rows.bind(queue);
  while (rows.step()) names.push_back(rows.text(0));
  return names;
}

void read_counts(Connection& db, QueueInfo& info) {
  Query counts = db.query("SELECT state, count FROM counters WHERE queue = ?1");
  counts.bind(info.settings.name);
  while (counts.step()) info.count(counts.state(0)) += counts.int64(1);
}

}  // namespace

void StoreQueues::configure_queues(std::span<const QueuePatch> queues) {
  if (queues.empty()) return;
  impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
    for (const QueuePatch& patch : queues) {
      const bool known = transaction.queues().contains(patch.name);
      apply(transaction.db(), patch,
            known ? transaction.queues().info(patch.name).settings : QueueSettings{});
    }
    reload(transaction);
  });
  load_queue_defaults();
}

void StoreQueues::load_queue_defaults() {
  // Read inside the lock: of several changers, the last to get here sees all changes.
  const MutexLock lock(impl_->defaults_mutex);
  impl_->defaults = impl_->read([](Connection& db) {
    std::map<std::string, std::string> defaults;
    Query rows = db.query("SELECT name, defaults FROM queues");
    while (rows.step()) {
      if (std::string text = read_defaults(rows, 1); text != "{}")
        defaults[rows.text(0)] = std::move(text);
    }
    return defaults;
  });
}

std::string StoreQueues::queue_defaults(const std::string& queue) {
  const MutexLock lock(impl_->defaults_mutex);
  const auto found = impl_->defaults.find(queue);
  return found == impl_->defaults.end() ? "" : found->second;
}

QueueResult StoreQueues::set_queue(const Actor& actor, const QueuePatch& patch, bool create) {
  QueueResult result =
      impl_->write(WhenFull::use_ballast, actor, [&](Transaction& transaction) -> QueueResult {
        const bool known = transaction.queues().contains(patch.name);
        if (!known && !create) return UnknownQueue{patch.name};
        const QueueSettings before =
            known ? transaction.queues().info(patch.name).settings : QueueSettings{};
        if (patch.defaults_were && *patch.defaults_were != before.defaults)
          return EditedMeanwhile{};
        apply(transaction.db(), patch, before);
        note(transaction, "queue_set", actor, "queue=" + patch.name);
        reload(transaction);
        return transaction.queues().info(patch.name);
      });
  if (patch.defaults && std::holds_alternative<QueueInfo>(result)) load_queue_defaults();
  return result;
}

QueueResult StoreQueues::control_queue(const Actor& actor, const std::string& queue, QueueVerb verb,
                                       const std::string& why) {
  return impl_->write(WhenFull::use_ballast, actor, [&](Transaction& transaction) -> QueueResult {
    if (!transaction.queues().contains(queue)) return UnknownQueue{queue};
    set_row(transaction, actor, queue, verb, why);
    note(transaction, event_type(verb), actor, "queue=" + queue + reason_detail(why));
    reload(transaction);
    return transaction.queues().info(queue);
  });
}

QueueResult StoreQueues::remove_queue(const Actor& actor, const std::string& queue) {
  QueueResult result =
      impl_->write(WhenFull::use_ballast, actor, [&](Transaction& transaction) -> QueueResult {
        if (!transaction.queues().contains(queue)) return UnknownQueue{queue};
        const QueueInfo info = transaction.queues().info(queue);
        std::vector<std::string> schedules = schedules_of(transaction.db(), queue);
        if (queue == kDefaultQueue || transaction.queues().total(queue) > 0 ||
            count_unexpanded(transaction.db(), queue) > 0 || !schedules.empty()) {
          return QueueInUse{info, std::move(schedules)};
        }
        transaction.db().run("DELETE FROM queues WHERE name = ?1", queue);
        note(transaction, "queue_removed", actor, "queue=" + queue);
        reload(transaction);
        return info;
      });
  if (std::holds_alternative<QueueInfo>(result)) load_queue_defaults();
  return result;
}

std::vector<QueueInfo> load_queues(Connection& db) {
  std::vector<QueueInfo> queues;
  Query rows = db.query(
      "SELECT name, capacity, concurrency, weight, rate_count, rate_per_ms, rate_burst, "
      "paused_at_ms,"
      " paused_by, paused_reason, draining, notify, defaults FROM queues ORDER BY name");
  while (rows.step()) {
    queues.push_back(read_queue(rows));
    read_counts(db, queues.back());
  }
  return queues;
}

std::vector<QueueInfo> StoreQueues::queues() {
  return impl_->read([](Connection& db) { return load_queues(db); });
}

std::optional<QueueInfo> load_queue(Connection& db, const std::string& name) {
  Query row = db.query(
      "SELECT name, capacity, concurrency, weight, rate_count, rate_per_ms, rate_burst,"
      " paused_at_ms, paused_by, paused_reason, draining, notify, defaults FROM queues WHERE name "
      "= "
      "?1");
  if (!row.bind(name).step()) return std::nullopt;
  QueueInfo info = read_queue(row);
  read_counts(db, info);
  return info;
}

std::optional<QueueInfo> StoreQueues::queue(const std::string& name) {
  return impl_->read([&](Connection& db) { return load_queue(db, name); });
}

}  // namespace taskd
