// Every migration starts from the schema before it, kept in fixtures/ under the migration's name;
// the first starts from nothing.
#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>

#include "daemon/base/digest.h"
#include "daemon/base/errors.h"
#include "daemon/store/db/migrator.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

const int kReadWrite = SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE;

std::vector<std::string> schema_of(SQLite::Database& db) {
  SQLite::Statement rows(db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
  std::vector<std::string> schema;
  while (rows.executeStep()) schema.push_back(rows.getColumn(0).getString());
  return schema;
}

std::string fixture_before(const Migration& migration) {
  const std::string path =
      std::string(TASKD_SOURCE_DIR) + "/tests/migrations/fixtures/" + migration.name + ".sql";
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path, " is missing: each migration comes with the schema before it");
  return {std::istreambuf_iterator<char>(file), {}};
}

SQLite::Database database_before(const Migration& migration) {
  SQLite::Database db(":memory:", kReadWrite);
  db.exec("PRAGMA foreign_keys = ON");
  if (migration.version == 1) return db;
  SQLite::Database fresh(":memory:", kReadWrite);
  migrate(fresh, "fresh");
  db.exec(fixture_before(migration));
  db.exec("PRAGMA application_id = " + fresh.execAndGet("PRAGMA application_id").getString());
  db.exec("PRAGMA user_version = " + std::to_string(migration.version - 1));
  return db;
}

TEST_CASE("from every earlier schema comes the schema of a fresh database") {
  SQLite::Database fresh(":memory:", kReadWrite);
  migrate(fresh, "fresh");
  for (const Migration& migration : embedded_migrations()) {
    CAPTURE(migration.name);
    CHECK((migration.version > 1 || fixture_before(migration).empty()));
    SQLite::Database db = database_before(migration);
    migrate(db, "old");
    CHECK(schema_of(db) == schema_of(fresh));
    CHECK(db.execAndGet("PRAGMA user_version").getInt() ==
          static_cast<int>(embedded_migrations().size()));
    CHECK(db.execAndGet("PRAGMA foreign_keys").getInt() == 1);
    CHECK(db.execAndGet("PRAGMA integrity_check").getString() == "ok");
    CHECK_FALSE(SQLite::Statement(db, "PRAGMA foreign_key_check").executeStep());
  }
}

SQLite::Database database_before(const std::string& name) {
  const auto all = embedded_migrations();
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const Migration& migration) { return migration.name == name; });
  REQUIRE(found != all.end());
  return database_before(*found);
}

SQLite::Database migrated_from(const std::string& name) {
  SQLite::Database db = database_before(name);
  migrate(db, "old");
  return db;
}

TEST_CASE("an array of before knows its queue and how many tasks it will be") {
  SQLite::Database db = migrated_from("0015_asked");
  SQLite::Statement rows(db,
                         "SELECT queue, count, made FROM arrays WHERE made < count ORDER BY id");
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(0).getString() == "default");
  CHECK(rows.getColumn(1).getInt() == 30'000);
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(0).getString() == "mail");
  CHECK(rows.getColumn(1).getInt() == 12'000);
}

TEST_CASE("an array of before knows its indexes and how many of its tasks have ended") {
  SQLite::Database db = migrated_from("0021_arrays_whole");
  SQLite::Statement rows(db,
                         "SELECT json_array(id, uid, first_index, step, count, made, ended,"
                         " succeeded, failed) FROM arrays WHERE id >= 820 ORDER BY id");
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(0).getString() == "[820,7,10,5,4,4,3,3,0]");
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(0).getString() == "[830,7,0,1,10,2,1,1,0]");
  CHECK(db.execAndGet("SELECT array_id FROM array_needs WHERE on_task = 2").getInt() == 830);
  CHECK(db.execAndGet("SELECT task ->> '$.array.last' FROM array_specs").getInt() == 9);
}

TEST_CASE("the key that a workflow of before came with names it") {
  SQLite::Database db = migrated_from("0015_asked");
  SQLite::Statement rows(db, "SELECT workflow_id FROM idempotency_keys ORDER BY key");
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(0).isNull());
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(0).getInt() == 3);
}

std::string columns_of(SQLite::Database& db, const std::string& table) {
  std::string columns;
  // A later migration keeps digests of the tokens.
  SQLite::Statement names(db, "SELECT name FROM pragma_table_info('" + table +
                                  "') WHERE name <> 'token' ORDER BY name");
  while (names.executeStep()) {
    columns += (columns.empty() ? "" : ", ") + names.getColumn(0).getString();
  }
  return columns;
}

std::vector<std::string> rows_of(SQLite::Database& db, const std::string& table,
                                 const std::string& columns) {
  SQLite::Statement rows(db, "SELECT json_array(" + columns + ") FROM " + table + " ORDER BY 1");
  std::vector<std::string> all;
  while (rows.executeStep()) all.push_back(rows.getColumn(0).getString());
  return all;
}

TEST_CASE("tables that are rebuilt keep their rows, what points at them, and the next id") {
  SQLite::Database db = database_before("0016_fewer_indexes");
  struct Before {
    std::string columns;
    std::vector<std::string> rows;
  };
  std::map<std::string, Before> before;
  for (const char* table : {"tasks", "attempts", "task_specs", "task_labels", "dependencies"}) {
    const std::string columns = columns_of(db, table);
    before[table] = {columns, rows_of(db, table, columns)};
    REQUIRE_FALSE(before[table].rows.empty());
  }
  migrate(db, "old");
  for (const auto& [table, old] : before) CHECK(rows_of(db, table, old.columns) == old.rows);
  db.exec(
      "INSERT INTO tasks (uid, queue, name, priority, state, created_at_ms)"
      " VALUES (0, 'default', '', 0, 'queued', 1)");
  CHECK(db.getLastInsertRowid() == 901);
  db.exec("DELETE FROM tasks WHERE id = 3");
  CHECK(db.execAndGet("SELECT count(*) FROM attempts").getInt() == 1);
}

std::vector<std::string> texts(SQLite::Database& db, const std::string& sql) {
  SQLite::Statement rows(db, sql);
  std::vector<std::string> all;
  while (rows.executeStep()) all.push_back(rows.getColumn(0).getString());
  return all;
}

TEST_CASE("links of before say whether something failed or was not needed, in their order") {
  SQLite::Database db = migrated_from("0017_links");
  using Texts = std::vector<std::string>;
  CHECK(texts(db,
              "SELECT task_id || ' ' || on_task || ' ' || on_end || ' ' || state FROM dependencies"
              " ORDER BY task_id, place") ==
        Texts{"3 1 failed skipped", "4 1 ok met", "4 2 ok failed", "5 3 ok skipped",
              "6 2 ok failed", "7 8 ok pending", "7 2 any met", "7 1 ok met", "9 900 ok failed"});
  CHECK(texts(db,
              "SELECT id || ' ' || on_dependency_failed FROM tasks"
              " WHERE on_dependency_failed IS NOT NULL") == Texts{"6 cancel", "7 run"});
  CHECK(texts(db, "SELECT spec FROM task_specs WHERE task_id IN (1, 4, 7) ORDER BY task_id") ==
        Texts{R"({"argv":["true"]})", R"({"argv":["true"]})",
              R"({"argv":["true"],"on_dependency_failed":"run"})"});
  CHECK(texts(db, "SELECT on_task || ' ' || after_task FROM links_to_update") == Texts{"2 0"});
}

TEST_CASE("a task of before has in a column what the writer decides by") {
  SQLite::Database db = migrated_from("0024_policies");
  const auto policy = [&](const std::string& id) {
    return policy_from_stored(db.execAndGet("SELECT policy FROM tasks WHERE id = " + id).getString());
  };
  CHECK(db.execAndGet("SELECT policy FROM tasks WHERE id = 1").getString().empty());
  const StoredPolicy all = policy("2");
  TaskSpec spec;
  spec_from_stored(db.execAndGet("SELECT spec FROM task_specs WHERE task_id = 2").getString(), spec);
  CHECK(static_cast<const TaskPolicy&>(all) == spec);
  CHECK(all.max_attempts == 4);
  CHECK(all.keep_ms == 0);
  CHECK(all.unique_for_ms == 60'000);
  // A spec that cannot be read does not keep the others from being migrated.
  CHECK(db.execAndGet("SELECT policy FROM tasks WHERE id = 3").getString().empty());
}

TEST_CASE("a delivery of before is told as it was written") {
  SQLite::Database db = migrated_from("0024_policies");
  CHECK(db.execAndGet("SELECT has_spec FROM deliveries WHERE seq = 1").getInt() == 1);
  CHECK(db.execAndGet("SELECT has_spec FROM deliveries WHERE seq = 2").getInt() == 0);
}

TEST_CASE("a store of before gets an id of its own, and is known not to have been marked") {
  SQLite::Database one = migrated_from("0025_store_identity");
  SQLite::Database other = migrated_from("0025_store_identity");
  const std::string id = one.execAndGet("SELECT store_id FROM daemon").getString();
  CHECK(id.size() == 32);
  CHECK(id != other.execAndGet("SELECT store_id FROM daemon").getString());
  CHECK(one.execAndGet("SELECT epoch FROM daemon").getInt() == 0);
  CHECK(one.execAndGet("SELECT generation FROM daemon").getInt() == 41);
}

TEST_CASE("a damaged spec keeps no database from being migrated") {
  SQLite::Database db = database_before("0017_links");
  db.exec("UPDATE task_specs SET spec = 'damaged \"on_dependency_failed\"' WHERE task_id >= 4");
  migrate(db, "old");
  CHECK(db.execAndGet("SELECT count(*) FROM dependencies").getInt() > 0);
}

TEST_CASE("migrating again changes nothing") {
  SQLite::Database db(":memory:", kReadWrite);
  migrate(db, "db");
  const int before = db.getTotalChanges();
  migrate(db, "db");
  CHECK(db.getTotalChanges() == before);
}

const std::vector<Migration> kTwo = {{1, "0001_one", "CREATE TABLE one (a INTEGER PRIMARY KEY)"},
                                     {2, "0002_two",
                                      "CREATE TABLE two (one REFERENCES one);"
                                      "INSERT INTO one VALUES (1); INSERT INTO two VALUES (1)"}};

TEST_CASE("a migration that fails leaves the schema before it, and runs again later") {
  SQLite::Database db(":memory:", kReadWrite);
  std::vector<Migration> broken = kTwo;
  broken[1].sql += "; INSERT INTO three VALUES (1)";
  CHECK_THROWS_AS(migrate(db, "db", broken), SQLite::Exception);
  CHECK(schema_of(db).size() == 1);
  CHECK(db.execAndGet("PRAGMA user_version").getInt() == 1);
  CHECK(db.execAndGet("SELECT count(*) FROM one").getInt() == 0);
  migrate(db, "db", kTwo);
  CHECK(schema_of(db).size() == 2);
}

TEST_CASE("a migration may not leave rows that point nowhere") {
  SQLite::Database db(":memory:", kReadWrite);
  std::vector<Migration> dangling = kTwo;
  dangling[1].sql += "; DELETE FROM one";
  CHECK_THROWS_WITH(migrate(db, "db", dangling),
                    "migration 0002_two leaves rows that point nowhere");
  CHECK(db.execAndGet("PRAGMA user_version").getInt() == 1);
}

TEST_CASE("a newer schema and a foreign database are refused") {
  SQLite::Database db(":memory:", kReadWrite);
  migrate(db, "db", kTwo);
  try {
    migrate(db, "/some/db", {kTwo.front()});
    FAIL("the newer schema was accepted");
  } catch (const UsageError& error) {
    CHECK(error.exit_code == 78);
    CHECK(std::string(error.what()).find("/some/db") == 0);
  }
  SQLite::Database foreign(":memory:", kReadWrite);
  foreign.exec("CREATE TABLE theirs (a)");
  try {
    migrate(foreign, "/some/db");
    FAIL("the foreign database was accepted");
  } catch (const UsageError& error) {
    CHECK(error.exit_code == 65);
  }
  CHECK(schema_of(foreign).size() == 1);
}

TEST_CASE("schedules keep all they have when names come to belong to their users") {
  SQLite::Database db = migrated_from("0020_owners");
  SQLite::Statement rows(db,
                         "SELECT id, uid, name, next_at_ms, paused_why FROM schedules ORDER BY id");
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(0).getInt() == 3);
  CHECK(rows.getColumn(1).getInt() == 1000);
  CHECK(rows.getColumn(2).getString() == "backup");
  CHECK(rows.getColumn(3).getInt() == 30);
  REQUIRE(rows.executeStep());
  CHECK(rows.getColumn(2).getString() == "poll");
  CHECK(rows.getColumn(4).getString() == "why");
  CHECK_FALSE(rows.executeStep());
  CHECK(db.execAndGet("SELECT seq FROM sqlite_sequence WHERE name = 'schedules'").getInt() == 9);
}

TEST_CASE("the secrets of attempts are gone, and what is left still names the one that runs") {
  SQLite::Database db = migrated_from("0020_owners");
  const std::string token = token_of("secret");
  CHECK(db.execAndGet("SELECT token FROM tasks").getString() == token);
  CHECK(db.execAndGet("SELECT token FROM attempts WHERE number = 2").getString() == token);
  CHECK(db.execAndGet("SELECT token FROM attempts WHERE number = 1").getString().empty());
}

TEST_CASE("what waits for a hook knows whose it is, and keys of earlier submits are kept") {
  SQLite::Database db = migrated_from("0022_turns_of_users");
  std::vector<std::int64_t> uids;
  SQLite::Statement rows(db, "SELECT uid FROM deliveries WHERE state = 'pending' ORDER BY seq");
  while (rows.executeStep()) uids.push_back(rows.getColumn(0).getInt64());
  CHECK(uids == std::vector<std::int64_t>{1001, 1001, 4'000'000'000});
  SQLite::Statement keys(
      db, "SELECT task_ids, workflow_id, finished FROM idempotency_keys ORDER BY key");
  REQUIRE(keys.executeStep());
  CHECK(keys.getColumn(0).isNull());
  REQUIRE(keys.executeStep());
  CHECK(keys.getColumn(0).getString() == "1 7");
  CHECK(keys.getColumn(1).getInt() == 3);
  CHECK(keys.getColumn(2).getInt() == 1);
}

}  // namespace
}  // namespace taskd
