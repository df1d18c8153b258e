#include "daemon/store/db/errors.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <cerrno>

#include "daemon/store/db/connection.h"

namespace taskd {
namespace {

// Whether the latest failed write to the database or its WAL said EDQUOT. sqlite3_system_errno()
// does not know when it was a COMMIT that failed.
bool is_over_quota(Connection& db) {
  for (const int which : {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER}) {
    sqlite3_file* file = nullptr;
    sqlite3_file_control(db.database().getHandle(), "main", which, &file);
    int error = 0;
    if (file == nullptr || file->pMethods == nullptr) continue;
    if (file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error) != SQLITE_OK) continue;
    if (error == EDQUOT) return true;
  }
  return false;
}

int code_of(const SQLite::Exception& error) {
  const int extended = error.getExtendedErrorCode();
  return extended > 0 ? extended : error.getErrorCode();
}

}  // namespace

Failure failure_of(int extended_code, bool over_quota) {
  switch (extended_code & 0xff) {
    case SQLITE_FULL:
      return Failure::no_space;
    case SQLITE_IOERR:
      // Two ways to run out of space that have other error codes.
      if (extended_code == SQLITE_IOERR_SHMSIZE) return Failure::no_space;
      if (extended_code == SQLITE_IOERR_WRITE && over_quota) return Failure::no_space;
      return Failure::fatal;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
      return Failure::busy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_READONLY:
      return Failure::fatal;
    default:
      return Failure::command;
  }
}

Failure failure_of(const SQLite::Exception& error) {
  return failure_of(code_of(error), /*over_quota=*/false);
}

Failure classify(Connection& db, const SQLite::Exception& error) {
  const int code = code_of(error);
  return failure_of(code, code == SQLITE_IOERR_WRITE && is_over_quota(db));
}

}  // namespace taskd
