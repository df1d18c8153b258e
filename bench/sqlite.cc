// bench_sqlite KEY DB SCHEMA ROWS SECONDS: what SQLite itself can do with the rows of a submit.
// Inserts them into the new database DB, made by the statements in SCHEMA, ROWS a transaction, each
// transaction synced (WAL, synchronous=FULL). Prints KEY = rows a second.

#include <sqlite3.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "bench/measure.h"
#include "bench/task_body.h"

namespace taskd::bench {
namespace {

constexpr std::int64_t kWallMs = 1'767'225'600'000;
// Enough to fill the WAL to its first checkpoint, after which SQLite overwrites it in place.
constexpr int kWarmUpRows = 4000;

class Database {
 public:
  explicit Database(const char* path) {
    check(sqlite3_open(path, &db_));
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON");
  }
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const std::string& sql) {
    check(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr));
  }

  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    return statement;
  }

  void step(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) check(SQLITE_ERROR);
    check(sqlite3_reset(statement));
  }

  std::int64_t last_id() const { return sqlite3_last_insert_rowid(db_); }

 private:
  void check(int result) const {
    if (result != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db_));
  }

  sqlite3* db_ = nullptr;
};

// Prepared statements for one submit. Lives until the program ends.
class Inserter {
 public:
  explicit Inserter(Database& db)
      : db_(db),
        begin_(db.prepare("BEGIN IMMEDIATE")),
        commit_(db.prepare("COMMIT")),
        task_(db.prepare("INSERT INTO tasks (uid, queue, name, priority, state, created_at_ms) "
                         "VALUES (1000, 'default', 'transcode', 0, 'queued', ?1)")),
        spec_(db.prepare("INSERT INTO task_specs (task_id, spec) VALUES (?1, ?2)")),
        event_(db.prepare("INSERT INTO events (at_ms, generation, task_id, type, to_state, "
                          "actor_uid) VALUES (?1, 1, ?2, 'submit', 'queued', 1000)")),
        count_(db.prepare("INSERT INTO counters (queue, state, count) "
                          "VALUES ('default', 'queued', ?1) "
                          "ON CONFLICT (queue, state) DO UPDATE SET count = count + ?1")) {
    sqlite3_bind_int64(task_, 1, kWallMs);
    sqlite3_bind_int64(event_, 1, kWallMs);
    sqlite3_bind_text(spec_, 2, stored_.data(), static_cast<int>(stored_.size()), SQLITE_STATIC);
  }
  ~Inserter() {
    for (sqlite3_stmt* s : {begin_, commit_, task_, spec_, event_, count_}) sqlite3_finalize(s);
  }
  Inserter(const Inserter&) = delete;
  Inserter& operator=(const Inserter&) = delete;

  void insert(int rows) {
    db_.step(begin_);
    for (int i = 0; i < rows; ++i) {
      db_.step(task_);
      const std::int64_t id = db_.last_id();
      sqlite3_bind_int64(spec_, 1, id);
      db_.step(spec_);
      sqlite3_bind_int64(event_, 2, id);
      db_.step(event_);
    }
    sqlite3_bind_int64(count_, 1, rows);
    db_.step(count_);
    db_.step(commit_);
  }

 private:
  Database& db_;
  const std::string stored_ = typical_task_stored();
  sqlite3_stmt *begin_, *commit_, *task_, *spec_, *event_, *count_;
};

void run(const std::string& key, const char* path, const char* schema, int rows, double seconds) {
  Database db(path);
  std::ostringstream sql;
  if (!(sql << std::ifstream(schema).rdbuf())) {
    throw std::runtime_error(std::string("cannot read ") + schema);
  }
  db.run(sql.str());
  Inserter inserter(db);
  for (int i = 0; i < kWarmUpRows; i += rows) inserter.insert(rows);
  const std::int64_t start = now_ns();
  long inserted = 0;
  while (seconds_since(start) < seconds) {
    inserter.insert(rows);
    inserted += rows;
  }
  print(key, static_cast<double>(inserted) / seconds_since(start));
}

}  // namespace
}  // namespace taskd::bench

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fputs("usage: bench_sqlite KEY DB SCHEMA ROWS SECONDS\n", stderr);
    return 64;
  }
  try {
    taskd::bench::run(argv[1], argv[2], argv[3], std::atoi(argv[4]), std::atof(argv[5]));
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_sqlite: %s\n", e.what());
    return 1;
  }
}
