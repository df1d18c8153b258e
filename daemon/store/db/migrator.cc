#include "daemon/store/db/migrator.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

#include "daemon/base/digest.h"
#include "daemon/base/errors.h"

namespace taskd {
namespace {

constexpr int kApplicationId = 0x7461'736b;  // "task"

int read_int(SQLite::Database& db, const char* sql) {
  return db.execAndGet(sql).getInt();
}

// For the migrations: token_of(text).
void token_of_text(sqlite3_context* context, int, sqlite3_value** arguments) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(arguments[0]));
  const std::string token = token_of(text != nullptr ? text : "");
  sqlite3_result_text(context, token.data(), static_cast<int>(token.size()), SQLITE_TRANSIENT);
}

void apply(SQLite::Database& db, const Migration& migration) {
  SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
  db.exec(migration.sql);
  if (SQLite::Statement(db, "PRAGMA foreign_key_check").executeStep()) {
    throw std::runtime_error("migration " + migration.name + " leaves rows that point nowhere");
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
  // A migration that rebuilds a table must not cascade; apply() checks the keys instead. The
  // switch has no effect inside a transaction.
  db.createFunction("token_of", 1, /*aDeterministic=*/true, nullptr, token_of_text);
  db.exec("PRAGMA foreign_keys = OFF");
  for (const Migration& migration : migrations) {
    if (migration.version > version) apply(db, migration);
  }
  db.exec("PRAGMA foreign_keys = ON");
}

}  // namespace taskd
