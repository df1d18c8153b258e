// Brings a database to this binary's schema. Forward only; each migration is one transaction that
// also sets user_version, so a crash between two leaves a whole older schema. Not thread-safe.
#pragma once

#include <string>
#include <vector>

namespace SQLite {
class Database;
}

namespace taskd {

struct Migration {
  int version;       // 1, 2, 3 …
  std::string name;  // "0001_initial"
  std::string sql;
};

// The files of migrations/, embedded at build time.
const std::vector<Migration>& embedded_migrations();

// Reads only. Throws UsageError naming `path`: 65 for a file that is not a taskd database, 78 for a
// database of a newer taskd or of a pre-release (which has another application_id). An empty
// database is accepted.
void check_identity(SQLite::Database& db, const std::string& path,
                    const std::vector<Migration>& migrations);

// Checks the identity and applies the missing migrations. A failed migration leaves the schema
// before it; drop the connection then, since its foreign keys may be off.
void migrate(SQLite::Database& db, const std::string& path,
             const std::vector<Migration>& migrations = embedded_migrations());

}  // namespace taskd
