#include "daemon/store/db/migrator.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include "daemon/base/errors.h"

namespace taskd {
namespace {

constexpr int kApplicationId = 0x7473'6b64;            // "tskd"
constexpr int kPreReleaseApplicationId = 0x7461'736b;  // "task"

int read_int(SQLite::Database& db, const char* sql) {
  return db.execAndGet(sql).getInt();
}

void apply(SQLite::Database& db, const Migration& migration) {
  SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
  db.exec(migration.sql);
  if (SQLite::Statement(db, "PRAGMA foreign_key_check").executeStep()) {
    throw std::runtime_error("migration " + migration.name + " leaves dangling foreign keys");
  }
  db.exec("PRAGMA application_id = " + std::to_string(kApplicationId));
  db.exec("PRAGMA user_version = " + std::to_string(migration.version));
  transaction.commit();
}

}  // namespace

void check_identity(SQLite::Database& db, const std::string& path,
                    const std::vector<Migration>& migrations) {
  const int id = read_int(db, "PRAGMA application_id");
  const int version = read_int(db, "PRAGMA user_version");
  const bool empty = read_int(db, "SELECT count(*) FROM sqlite_schema") == 0;
  if (id == kPreReleaseApplicationId) {
    throw UsageError(78, path + " was made by a pre-release of taskd (0.1.0, schema " +
                             std::to_string(version) +
                             "), which this version cannot read. Finish its tasks with that "
                             "version, and start with an empty state directory.");
  }
  if (id != kApplicationId && !(empty && id == 0 && version == 0)) {
    throw UsageError(65,
                     path + " is not a taskd database, so it is left alone. Name another file.");
  }
  const int newest = static_cast<int>(migrations.size());
  if (version > newest) {
    throw UsageError(78, path + " was written by a newer taskd (schema " + std::to_string(version) +
                             "; this one knows up to " + std::to_string(newest) +
                             "). Install that taskd again, or restore a backup.");
  }
}

void migrate(SQLite::Database& db, const std::string& path,
             const std::vector<Migration>& migrations) {
  check_identity(db, path, migrations);
  const int version = read_int(db, "PRAGMA user_version");
  if (version == static_cast<int>(migrations.size())) return;
  // A migration that rebuilds a table must not cascade; apply() checks the keys instead. The pragma
  // has no effect inside a transaction.
  db.exec("PRAGMA foreign_keys = OFF");
  for (const Migration& migration : migrations) {
    if (migration.version > version) apply(db, migration);
  }
  db.exec("PRAGMA foreign_keys = ON");
}

}  // namespace taskd
