// The users who own rows. A system may give the uid of a deleted user to somebody else; then the
// first user's rows move to a separate owner id, which no process has as its uid.
#include <stdexcept>

#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

constexpr int kSetAsideAtOnce = 1000;  // rows per commit, so that others do not wait for long

KnownUser read_user(const Query& row) {
  KnownUser user{row.uid(0), row.text(1), false};
  if (!row.is_null(2)) user = {row.uid(2), row.text(1), true};
  return user;
}

// Another first request of the new user came earlier.
bool is_set_aside(Connection& db, std::uint32_t uid, const std::string& name) {
  Query row = db.query("SELECT 1 FROM users WHERE uid = ?1 AND name = ?2 AND new_uid IS NULL");
  return row.bind(uid, name).step();
}

// The new owner id for the rows of `uid`. Everything except tasks moves at once, so that nothing
// new starts under the uid.
std::uint32_t begin_to_set_aside(Transaction& transaction, std::uint32_t uid,
                                 const std::string& name) {
  Connection& db = transaction.db();
  {
    Query begun = db.query("SELECT new_uid FROM users WHERE uid = ?1 AND new_uid IS NOT NULL");
    if (begun.bind(uid).step()) return begun.uid(0);
  }
  std::uint32_t owner = kFirstFormerOwner;
  {
    Query last = db.query("SELECT max(uid) FROM users WHERE former_uid IS NOT NULL");
    if (last.step() && !last.is_null(0)) owner = last.uid(0) + 1;
  }
  if (owner > kLastFormerOwner) throw std::runtime_error("too many uids have changed users");
  db.run("INSERT INTO users (uid, name, former_uid) SELECT ?1, name, uid FROM users WHERE uid = ?2",
         owner, uid);
  db.run("UPDATE users SET new_uid = ?2 WHERE uid = ?1", uid, owner);
  KnownUser before{uid, "", false};
  if (Query row = db.query("SELECT name FROM users WHERE uid = ?1"); row.bind(uid).step())
    before.name = row.text(0);
  db.run(
      "UPDATE schedules SET uid = ?2, next_at_ms = NULL,"
      " paused_at_ms = coalesce(paused_at_ms, ?3), paused_by = coalesce(paused_by, 0),"
      " paused_reason = CASE WHEN paused_at_ms IS NULL THEN ?4 ELSE paused_reason END WHERE uid = "
      "?1",
      uid, owner, transaction.now(), uid_was_given_away(before, name));
  db.run("UPDATE arrays SET uid = ?2 WHERE uid = ?1", uid, owner);
  db.run("UPDATE workflows SET uid = ?2 WHERE uid = ?1", uid, owner);
  db.run("UPDATE keys SET uid = ?2 WHERE uid = ?1", uid, owner);
  db.run("DELETE FROM idempotency_keys WHERE uid = ?1", uid);
  transaction.add_event(
      std::nullopt, std::nullopt,
      {.type = "user_set_aside",
       .detail = uid_was_given_away(before, name) + "; owner=" + std::to_string(owner)});
  return owner;
}

}  // namespace

void StoreUsers::load_users() {
  // Read inside the lock: of several changers, the last to get here sees all changes.
  const MutexLock lock(impl_->users_mutex);
  impl_->users = impl_->read([](Connection& db) {
    std::map<std::uint32_t, KnownUser> users;
    Query rows = db.query("SELECT uid, name, former_uid FROM users");
    while (rows.step()) users.emplace(rows.uid(0), read_user(rows));
    return users;
  });
}

std::optional<KnownUser> StoreImpl::known_user(std::uint32_t owner) const {
  const MutexLock lock(users_mutex);
  const auto found = users.find(owner);
  return found == users.end() ? std::nullopt : std::optional(found->second);
}

std::optional<KnownUser> StoreUsers::known_user(std::uint32_t owner) const {
  return impl_->known_user(owner);
}

void StoreUsers::know_user(std::uint32_t uid, const std::string& name) {
  impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
    // Only set_aside() changes a recorded name.
    transaction.db().run(
        "INSERT INTO users (uid, name) VALUES (?1, ?2)"
        " ON CONFLICT (uid) DO UPDATE SET name = excluded.name WHERE name = ''",
        uid, name);
  });
  load_users();
}

void StoreUsers::set_aside(std::uint32_t uid, const std::string& name) {
  const auto known = known_user(uid);
  if (!known || known->name == name) return;
  bool done = false;
  while (!done) {
    impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
      Connection& db = transaction.db();
      done = is_set_aside(db, uid, name);
      if (done) return;
      const std::uint32_t owner = begin_to_set_aside(transaction, uid, name);
      const int moved = db.run(
          "UPDATE tasks SET uid = ?2 WHERE id IN (SELECT id FROM tasks INDEXED BY tasks_of_user"
          " WHERE uid = ?1 LIMIT ?3)",
          uid, owner, kSetAsideAtOnce);
      done = moved == 0;
      if (done) db.run("UPDATE users SET name = ?2, new_uid = NULL WHERE uid = ?1", uid, name);
    });
  }
  load_users();
}

std::vector<std::uint32_t> StoreUsers::unknown_users() {
  return impl_->read([](Connection& db) {
    // Jumps from uid to uid in the index, however many tasks there are.
    Query rows = db.query(
        "WITH RECURSIVE owners (uid) AS (SELECT min(uid) FROM tasks UNION ALL"
        " SELECT (SELECT min(uid) FROM tasks WHERE uid > owners.uid) FROM owners"
        " WHERE owners.uid IS NOT NULL)"
        " SELECT uid FROM owners WHERE uid IS NOT NULL AND uid NOT IN (SELECT uid FROM users)"
        " UNION SELECT uid FROM schedules WHERE uid NOT IN (SELECT uid FROM users)");
    std::vector<std::uint32_t> uids;
    while (rows.step()) uids.push_back(rows.uid(0));
    return uids;
  });
}

}  // namespace taskd
