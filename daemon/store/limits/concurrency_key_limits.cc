// Listing keys and setting their limits. keys.h has their effect on tasks.
#include <limits>

#include "daemon/store/limits/concurrency_keys.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxOwners = 10;
constexpr int kMaxLookedAt = 10'000;  // keys examined for one page of active keys

struct Uids {
  std::int64_t first = 0;
  std::int64_t last = std::numeric_limits<std::uint32_t>::max();
};
// None if the actor may not see the requested user.
Uids visible_uids(const Actor& actor, const std::optional<std::uint32_t>& uid) {
  if (!actor.admin && uid && *uid != actor.uid) return {1, 0};
  if (!actor.admin) return {actor.uid, actor.uid};
  if (uid) return {*uid, *uid};
  return {};
}

std::int64_t count_of(Query row, std::int64_t key) {
  row.bind(key, kMaxCountedOfKey).step();
  return row.int64(0);
}

KeyInfo load(Connection& db, std::int64_t id) {
  std::optional<StoredKey> stored = load_key(db, id);
  if (!stored) throw std::logic_error("a key is gone");
  KeyInfo key;
  key.id = id;
  key.uid = stored->uid;
  key.name = std::move(stored->name);
  key.limit = stored->concurrency;
  key.rate = stored->rate;
  key.next_start_at = stored->wake_at;
  key.running =
      count_of(db.query("SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_active_of_key"
                        " WHERE key_id = ?1 AND state = 'running' LIMIT ?2)"),
               key.id);
  key.queued =
      count_of(db.query("SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_active_of_key"
                        " WHERE key_id = ?1 AND state = 'queued' LIMIT ?2)"),
               key.id);
  key.blocked = count_of(
      db.query("SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_active_of_key"
               " WHERE key_id = ?1 AND state = 'blocked' AND blocked_on = 'key' LIMIT ?2)"),
      key.id);
  return key;
}

// Whether a task of it is running, queued or held back by it.
bool is_active(Connection& db, std::int64_t key) {
  Query row = db.query(
      "SELECT EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_active_of_key"
      "  WHERE key_id = ?1 AND state = 'running')"
      " OR EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_active_of_key"
      "  WHERE key_id = ?1 AND state = 'queued')"
      " OR EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_active_of_key"
      "  WHERE key_id = ?1 AND state = 'blocked' AND blocked_on = 'key')");
  return row.bind(key).step() && row.int64(0) != 0;
}

struct Owned {
  std::int64_t id;
  std::uint32_t uid;
};
std::vector<Owned> named(Connection& db, const std::string& name, const Uids& uids) {
  Query rows = db.query(
      "SELECT id, uid FROM keys INDEXED BY keys_named WHERE name = ?1 AND uid BETWEEN ?2 AND ?3"
      " ORDER BY uid LIMIT ?4");
  rows.bind(name, uids.first, uids.last, kMaxOwners);
  std::vector<Owned> found;
  while (rows.step()) found.push_back({rows.int64(0), rows.uid(1)});
  return found;
}

void write_limits(Connection& db, std::int64_t id, const KeyPatch& patch) {
  if (patch.limit) db.run("UPDATE keys SET concurrency = ?2 WHERE id = ?1", id, *patch.limit);
  if (!patch.rate) return;
  const std::optional<RateLimit>& rate = *patch.rate;
  db.run("UPDATE keys SET rate_count = ?2, rate_per_ms = ?3, rate_burst = ?4 WHERE id = ?1", id,
         rate ? std::optional(rate->count) : std::nullopt,
         rate ? std::optional(rate->per_ms) : std::nullopt, rate ? rate->burst : std::nullopt);
}

}  // namespace

KeyResult StoreQueues::set_key(const Actor& actor, const KeyPatch& patch) {
  return impl_->write(WhenFull::use_ballast, actor, [&](Transaction& transaction) -> KeyResult {
    Connection& db = transaction.db();
    const std::vector<Owned> found = named(db, patch.name, visible_uids(actor, patch.uid));
    if (found.empty()) return UnknownKey{};
    if (found.size() > 1) {
      AmbiguousKey several;
      for (const Owned& key : found) several.uids.push_back(key.uid);
      return several;
    }
    const std::int64_t id = found.front().id;
    write_limits(db, id, patch);
    cap_key_starts(transaction, id);
    transaction.add_event(
        std::nullopt, std::nullopt,
        {.type = "key_set", .actor_uid = actor.uid, .detail = "key=" + patch.name});
    transaction.touch_key(id);
    propagate(transaction);
    return load(db, id);
  });
}

bool StoreQueues::has_key(const Actor& actor, const std::string& name) {
  return impl_->read([&](Connection& db) {
    Query row = db.query("SELECT 1 FROM keys WHERE name = ?1 AND (?2 OR uid = ?3) LIMIT 1");
    return row.bind(name, actor.admin, actor.uid).step();
  });
}

StoreQueues::Keys StoreQueues::keys(const KeysRequest& request) {
  const Uids uids = visible_uids(request.actor, request.uid);
  const std::int64_t before = request.before.value_or(std::numeric_limits<std::int64_t>::max());
  return impl_->read([&](Connection& db) {
    // One name has at most one key per user.
    Query rows = request.name
                     ? db.query(
                           "SELECT id FROM keys INDEXED BY keys_named WHERE name = ?4 AND id < ?1"
                           " AND uid BETWEEN ?2 AND ?3 ORDER BY id DESC")
                 : uids.first == uids.last
                     ? db.query(
                           "SELECT id FROM keys INDEXED BY keys_of_user WHERE id < ?1 AND uid = ?2"
                           " AND uid = ?3 AND ?4 IS NULL ORDER BY id DESC")
                     : db.query(
                           "SELECT id FROM keys NOT INDEXED WHERE id < ?1 AND uid BETWEEN ?2 AND ?3"
                           " AND ?4 IS NULL ORDER BY id DESC");
    rows.bind(before, uids.first, uids.last, request.name);
    Keys page;
    std::int64_t latest = 0;
    for (int looked_at = 0; rows.step(); ++looked_at) {
      if (std::ssize(page.keys) == request.limit || looked_at == kMaxLookedAt) {
        page.next = latest;
        return page;
      }
      latest = rows.int64(0);
      if (request.active && !is_active(db, latest)) continue;
      page.keys.push_back(load(db, latest));
    }
    return page;
  });
}

}  // namespace taskd
