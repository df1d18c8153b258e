// The migrator, on the schema that is embedded and on a second step that only these tests have; and
// the databases that it refuses.
#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "daemon/base/errors.h"
#include "daemon/store/db/connection.h"
#include "daemon/store/db/migrator.h"
#include "tests/support/temp_dir.h"

namespace taskd {
namespace {

using test::TempDir;
using Texts = std::vector<std::string>;

const int kReadWrite = SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE;

Texts texts(SQLite::Database& db, const std::string& sql) {
  SQLite::Statement rows(db, sql);
  Texts all;
  while (rows.executeStep()) all.push_back(rows.getColumn(0).getString());
  return all;
}

Texts schema_of(SQLite::Database& db) {
  return texts(db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
}

int version_of(SQLite::Database& db) {
  return db.execAndGet("PRAGMA user_version").getInt();
}

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The embedded steps and one more, which rebuilds a table that others point to and adds a column to
// another. die() is of some tests.
std::vector<Migration> with_second_step(const std::string& more = "") {
  std::vector<Migration> steps = embedded_migrations();
  steps.push_back({static_cast<int>(steps.size()) + 1, "second_step",
                   "CREATE TABLE rebuilt (id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER,"
                   " name TEXT, created_at_ms INTEGER, color TEXT NOT NULL DEFAULT 'blue') STRICT;"
                   "INSERT INTO rebuilt (id, uid, name, created_at_ms) SELECT * FROM workflows;"
                   "DROP TABLE workflows;"
                   "ALTER TABLE rebuilt RENAME TO workflows;"
                   "ALTER TABLE tasks ADD COLUMN size INTEGER NOT NULL DEFAULT 7;" +
                       more});
  return steps;
}

// A database of the embedded schema, with rows.
void fill(SQLite::Database& db) {
  db.exec("PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL");
  migrate(db, "db");
  db.exec(
      "INSERT INTO workflows (id, uid, name, created_at_ms) VALUES (4, 1000, 'w', 1);"
      "INSERT INTO tasks (id, uid, queue, name, priority, state, created_at_ms, workflow_id, step)"
      " VALUES (8, 1000, 'default', 'a', 0, 'queued', 1, 4, 'one');"
      "INSERT INTO task_specs (task_id, spec) VALUES (8, '{\"version\":1,\"shell\":\"true\"}')");
}

void check_is_as_filled(SQLite::Database& db) {
  CHECK(texts(db, "SELECT id || ' ' || name || ' ' || workflow_id FROM tasks") == Texts{"8 a 4"});
  CHECK(texts(db, "SELECT id || ' ' || name FROM workflows") == Texts{"4 w"});
  CHECK(texts(db, "SELECT task_id FROM task_specs") == Texts{"8"});
  CHECK(db.execAndGet("PRAGMA integrity_check").getString() == "ok");
  CHECK(texts(db, "SELECT * FROM pragma_foreign_key_check").empty());
}

TEST_CASE("a step keeps the rows of the schema before it, and what points at them") {
  SQLite::Database db(":memory:", kReadWrite);
  fill(db);
  const int before = version_of(db);
  migrate(db, "db", with_second_step());
  CHECK(version_of(db) == before + 1);
  check_is_as_filled(db);
  CHECK(texts(db, "SELECT color FROM workflows") == Texts{"blue"});
  CHECK(texts(db, "SELECT size FROM tasks") == Texts{"7"});
  CHECK(db.execAndGet("PRAGMA foreign_keys").getInt() == 1);
  SQLite::Database fresh(":memory:", kReadWrite);
  migrate(fresh, "fresh", with_second_step());
  CHECK(schema_of(db) == schema_of(fresh));
}

TEST_CASE("migrating again changes nothing") {
  SQLite::Database db(":memory:", kReadWrite);
  migrate(db, "db");
  const int before = db.getTotalChanges();
  migrate(db, "db");
  CHECK(db.getTotalChanges() == before);
}

TEST_CASE("a step that fails leaves the schema before it, and runs again later") {
  SQLite::Database db(":memory:", kReadWrite);
  fill(db);
  const Texts schema = schema_of(db);
  const int before = version_of(db);
  CHECK_THROWS_AS(migrate(db, "db", with_second_step("INSERT INTO nowhere VALUES (1)")),
                  SQLite::Exception);
  CHECK(schema_of(db) == schema);
  CHECK(version_of(db) == before);
  check_is_as_filled(db);
  migrate(db, "db", with_second_step());
  check_is_as_filled(db);
}

TEST_CASE("a step may not leave rows that point nowhere") {
  SQLite::Database db(":memory:", kReadWrite);
  fill(db);
  CHECK_THROWS_WITH(migrate(db, "db", with_second_step("DELETE FROM workflows")),
                    "migration second_step leaves dangling foreign keys");
  CHECK(version_of(db) == static_cast<int>(embedded_migrations().size()));
  check_is_as_filled(db);
}

void die(sqlite3_context*, int, sqlite3_value**) {
  ::kill(::getpid(), SIGKILL);
}

TEST_CASE("a crash in the middle of a step leaves the schema before it, and the step runs again") {
  const TempDir dir;
  const std::string path = dir / "db";
  {
    SQLite::Database db(path, kReadWrite);
    fill(db);
  }
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    SQLite::Database db(path, kReadWrite);
    db.createFunction("die", 0, /*aDeterministic=*/false, nullptr, die);
    // So that pages of the open transaction are in the file, too.
    db.exec("PRAGMA cache_size = 1; PRAGMA cache_spill = 1");
    migrate(db, path, with_second_step("SELECT die()"));
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  SQLite::Database db(path, kReadWrite);
  CHECK(version_of(db) == static_cast<int>(embedded_migrations().size()));
  check_is_as_filled(db);
  CHECK(texts(db, "SELECT name FROM pragma_table_info('workflows') WHERE name = 'color'").empty());
  migrate(db, path, with_second_step());
  check_is_as_filled(db);
  CHECK(texts(db, "SELECT color FROM workflows") == Texts{"blue"});
}

std::pair<int, std::string> refusal(SQLite::Database& db) {
  try {
    migrate(db, "/some/db");
  } catch (const UsageError& error) {
    return {error.exit_code, error.what()};
  }
  return {};
}

TEST_CASE("the schema of a newer taskd and somebody else's database are refused") {
  SQLite::Database newer(":memory:", kReadWrite);
  migrate(newer, "db", with_second_step());
  const std::string known = std::to_string(embedded_migrations().size());
  CHECK(refusal(newer) == std::pair(78, "/some/db was written by a newer taskd (schema " +
                                            std::to_string(embedded_migrations().size() + 1) +
                                            "; this one knows up to " + known +
                                            "). Install that taskd again, or restore a backup."));
  SQLite::Database foreign(":memory:", kReadWrite);
  foreign.exec("CREATE TABLE theirs (a)");
  CHECK(refusal(foreign).first == 65);
  CHECK(schema_of(foreign).size() == 1);
}

TEST_CASE("a database of 0.1.0 is refused, with what to do, and left as it is") {
  const TempDir dir;
  const std::string path = dir / "taskd.db";
  {
    SQLite::Database db(path, kReadWrite);
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(read_all(std::string(TASKD_SOURCE_DIR) + "/tests/migrations/fixtures/taskd_0.1.0.sql"));
    db.exec("PRAGMA application_id = 0x7461736b; PRAGMA user_version = 16");
  }
  const std::string before = read_all(path);
  try {
    Connection::open_writer(path);
    FAIL("it was opened");
  } catch (const UsageError& error) {
    CHECK(error.exit_code == 78);
    CHECK(error.what() ==
          path +
              " was made by a pre-release of taskd (0.1.0, schema 16), which this version cannot "
              "read. Finish its tasks with that version, and start with an empty state "
              "directory.");
  }
  CHECK(read_all(path) == before);
}

}  // namespace
}  // namespace taskd
