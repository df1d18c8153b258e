#include "daemon/store/db/connection.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "daemon/base/errors.h"
#include "daemon/base/log.h"
#include "daemon/base/unique_fd.h"
#include "daemon/store/db/errors.h"
#include "daemon/store/db/migrator.h"

namespace taskd {
namespace {

void sync_folder(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) throw_errno("cannot sync the folder " + folder);
}

// SQLite would create the file with the umask's mode. Do not open an existing file here: closing it
// would drop the locks that SQLite holds on it anywhere in this process.
void create_if_missing(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd) {
    if (::fchmod(fd.get(), 0600) != 0) throw_errno("cannot set the mode of " + path);
    sync_folder(path);
    return;
  }
  if (errno != EEXIST) throw_errno("cannot create the database " + path);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) throw_errno("cannot look at the database " + path);
  if (!S_ISREG(info.st_mode)) {
    throw UsageError(65, path + " is not a regular file, so it cannot be the taskd database.");
  }
}

void set_switch(SQLite::Database& db, int option, int value) {
  const int result = sqlite3_db_config(db.getHandle(), option, value, nullptr);
  if (result != SQLITE_OK) throw SQLite::Exception(db.getHandle(), result);
}

void require(SQLite::Database& db, const char* pragma, const std::string& expected) {
  const std::string actual = db.execAndGet(pragma).getString();
  if (actual == expected) return;
  throw std::runtime_error(std::string(pragma) + " is " + actual + " and not " + expected);
}

// SQLite's memory statistics take a lock at every allocation, a fifth of the writer's time, and
// nobody reads them. Fails harmlessly once SQLite is in use.
void drop_memory_statistics() {
  static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(once);
}

int note_wal_pages(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

// --- Query --------------------------------------------------------------------------------------

Query::Query(SQLite::Statement& statement, bool& in_use, bool& noted)
    : statement_(statement), in_use_(in_use), noted_(noted) {
  if (in_use_) throw std::logic_error("a prepared statement is used inside its own use");
  in_use_ = true;
}

Query::~Query() {
  statement_.tryReset();       // repeats the error of the last step, which was thrown already
  statement_.clearBindings();  // cannot fail; bound values may be large, or secret
  in_use_ = false;
}

bool Query::step() {
  return statement_.executeStep();
}

int Query::run() {
  while (statement_.executeStep()) {
  }
  return statement_.getChanges();
}

bool Query::is_null(int column) const {
  return statement_.getColumn(column).isNull();
}

std::int64_t Query::int64(int column) const {
  return statement_.getColumn(column).getInt64();
}

std::string Query::text(int column) const {
  return statement_.getColumn(column).getString();
}

std::string_view Query::view(int column) const {
  const SQLite::Column value = statement_.getColumn(column);
  // Call before asking for the length, which is then the text's.
  const char* text = value.getText("");
  return {text, static_cast<std::size_t>(value.getBytes())};
}

std::optional<WallTime> Query::optional_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

void Query::note_unreadable(int column) const {
  if (std::exchange(noted_, true)) return;
  log::error("the database contains something unreadable; skipping it",
             {{"column", statement_.getColumnName(column)},
              {"value", view(column)},
              {"query", statement_.getExpandedSQL()}});
}

void Query::put_int(int index, std::int64_t value) {
  statement_.bind(index, value);
}

void Query::put_null(int index) {
  statement_.bind(index);
}

void Query::put(int index, std::string_view text) {
  statement_.bind(index, std::string(text));
}

// --- Connection ---------------------------------------------------------------------------------

struct Connection::Prepared {
  Prepared(SQLite::Database& db, const char* sql) : statement(db, sql) {}
  SQLite::Statement statement;
  bool in_use = false;
  bool noted = false;
};

Connection::Connection(const std::string& path)
    : database_(std::make_unique<SQLite::Database>(
          path, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, kBusyTimeoutMs)),
      wal_pages_(std::make_unique<int>(0)) {
  set_switch(*database_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
  set_switch(*database_, SQLITE_DBCONFIG_DQS_DML, 0);
  set_switch(*database_, SQLITE_DBCONFIG_DQS_DDL, 0);
  set_switch(*database_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0);
  set_switch(*database_, SQLITE_DBCONFIG_DEFENSIVE, 1);
  set_switch(*database_, SQLITE_DBCONFIG_ENABLE_FKEY, 1);
  // Savepoints and sorts stay in memory: they are small, and /tmp may be full when our disk is not.
  database_->exec("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY");
}

Connection Connection::open_writer(const std::string& path) {
  drop_memory_statistics();
  create_if_missing(path);
  Connection connection(path);
  connection.leave_wal_on_close(true);  // if we refuse the file, we change nothing
  SQLite::Database& db = *connection.database_;
  if (sqlite3_db_readonly(db.getHandle(), "main") != 0) {
    throw UsageError(73, "The database " + path + " is read-only.");
  }
  check_identity(db, path, embedded_migrations());  // before anything changes a foreign file
  db.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = FAST;"
      "PRAGMA cache_size = -8192; PRAGMA journal_size_limit = 67108864;"
      "PRAGMA wal_autocheckpoint = 0");
  require(db, "PRAGMA journal_mode", "wal");
  require(db, "PRAGMA synchronous", "2");
  require(db, "PRAGMA foreign_keys", "1");
  sqlite3_wal_hook(db.getHandle(), note_wal_pages, connection.wal_pages_.get());
  return connection;
}

Connection Connection::open_reader(const std::string& path) {
  Connection connection(path);
  set_switch(*connection.database_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1);
  connection.database_->exec(
      "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -2048");
  return connection;
}

Connection::Connection(Connection&&) noexcept = default;
Connection::~Connection() = default;

Query Connection::query(Sql sql) {
  std::unique_ptr<Prepared>& prepared = prepared_[sql.text];
  if (!prepared) prepared = std::make_unique<Prepared>(*database_, sql.text);
  return {prepared->statement, prepared->in_use, prepared->noted};
}

std::int64_t Connection::rows_changed() const {
  return database_->getTotalChanges();
}

std::int64_t Connection::last_id() const {
  return database_->getLastInsertRowid();
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(database_->getHandle()) == 0;
}

void Connection::roll_back() {
  if (in_transaction()) run("ROLLBACK");
}

int Connection::checkpoint() {
  int pages = 0;
  const int result = sqlite3_wal_checkpoint_v2(database_->getHandle(), nullptr,
                                               SQLITE_CHECKPOINT_PASSIVE, &pages, nullptr);
  // BUSY: somebody's sqlite3 is checkpointing. Try again later.
  if (result != SQLITE_OK && result != SQLITE_BUSY) {
    throw SQLite::Exception(database_->getHandle(), result);
  }
  return pages;
}

void Connection::leave_wal_on_close(bool leave) {
  set_switch(*database_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, leave ? 1 : 0);
}

void Connection::stop_when(std::function<bool()> stop) {
  constexpr int kInstructions = 100'000;  // about a millisecond
  stop_ = std::make_unique<std::function<bool()>>(std::move(stop));
  const auto ask = [](void* asked) {
    return (*static_cast<std::function<bool()>*>(asked))() ? 1 : 0;
  };
  sqlite3_progress_handler(database_->getHandle(), kInstructions, ask, stop_.get());
}

void Connection::set_busy_timeout_ms(int timeout_ms) {
  sqlite3_busy_timeout(database_->getHandle(), timeout_ms);
}

}  // namespace taskd
