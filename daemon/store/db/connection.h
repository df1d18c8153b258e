// One SQLite connection with this project's settings, and its prepared statements.
//
// A Connection belongs to one thread at a time. Errors are SQLite::Exception. Only the writer's
// connection writes and checkpoints.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/base/clock.h"
#include "daemon/task/task.h"

namespace SQLite {
class Database;
class Exception;
class Statement;
}  // namespace SQLite

namespace taskd {

// SQL with static lifetime, so that its address identifies its prepared statement.
struct Sql {
  template <std::size_t N>
  consteval Sql(const char (&literal)[N]) : text(literal) {}
  const char* text;
};

// A prepared statement in use: bind, then step or run, then read columns (from 0). The destructor
// resets it.
class Query {
 public:
  Query(SQLite::Statement& statement, bool& in_use, bool& noted);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // Binds ?1, ?2, … in this order; an empty optional is NULL.
  template <class... Values>
  Query& bind(const Values&... values) {
    int index = 0;
    (put(++index, values), ...);
    return *this;
  }

  bool step();  // true: there is a row
  int run();    // steps to the end; returns the number of rows changed

  bool is_null(int column) const;
  std::int64_t int64(int column) const;
  int integer(int column) const { return static_cast<int>(int64(column)); }
  std::uint32_t uid(int column) const { return static_cast<std::uint32_t>(int64(column)); }
  std::string text(int column) const;
  std::string_view view(int column) const;  // valid until the next step
  WallTime time(int column) const { return {int64(column)}; }
  std::optional<WallTime> optional_time(int column) const;
  // Parses the word in the column. In a damaged row it may be no valid word: then this logs it and
  // returns `otherwise`. A task in an unknown state counts as held, since nothing moves a held task
  // automatically.
  template <class T>
  T word(int column, std::optional<T> (*parse)(std::string_view), T otherwise) const {
    if (const auto value = parse(view(column))) return *value;
    note_unreadable(column);
    return otherwise;
  }
  State state(int column) const { return word(column, parse_state, State::held); }
  // Logs the column as unreadable, once per statement of a connection.
  void note_unreadable(int column) const;

 private:
  void put_int(int index, std::int64_t value);
  void put_null(int index);
  void put(int index, std::string_view text);
  template <std::integral T>
  void put(int index, T value) {
    put_int(index, static_cast<std::int64_t>(value));
  }
  void put(int index, WallTime time) { put_int(index, time.ms); }
  void put(int index, State state) { put(index, to_string(state)); }
  void put(int index, Reason reason) { put(index, to_string(reason)); }
  template <class T>
  void put(int index, const std::optional<T>& value) {
    if (value) {
      put(index, *value);
    } else {
      put_null(index);
    }
  }

  SQLite::Statement& statement_;
  bool& in_use_;
  bool& noted_;  // set once something was unreadable
};

inline constexpr int kBusyTimeoutMs = 10'000;  // only another program can make us wait

class Connection {
 public:
  // Creates the file (0600) if it is missing, checks that it is a taskd database, sets up WAL with
  // synchronous=FULL, and verifies both. Throws UsageError (65, 73, 78) in addition to
  // SQLite::Exception.
  static Connection open_writer(const std::string& path);
  Connection(Connection&&) noexcept;
  ~Connection();

  Query query(Sql sql);
  template <class... Values>
  int run(Sql sql, const Values&... values) {
    return query(sql).bind(values...).run();
  }

  // The id that the latest INSERT created. RETURNING would cost a fifth more time.
  std::int64_t last_id() const;

  // Rows inserted, updated and deleted since it was opened, including those rolled back.
  std::int64_t rows_changed() const;

  SQLite::Database& database() { return *database_; }
  // Also false after an error that made SQLite roll back.
  bool in_transaction() const;
  // Rolls back the open transaction, if any.
  void roll_back();

  // The length of the WAL after the latest commit, in pages.
  int wal_pages() const { return *wal_pages_; }
  // Copies what it can from the WAL to the database without waiting for readers. Returns the length
  // of the WAL in pages.
  int checkpoint();
  // Whether the last connection to close leaves the -wal as it is or copies it into the database.
  void leave_wal_on_close(bool leave);
  // `stop` is polled while a statement runs. When it returns true, the statement ends with
  // SQLITE_INTERRUPT.
  void stop_when(std::function<bool()> stop);
  // How long to wait for another program that holds the database locked.
  void set_busy_timeout_ms(int timeout_ms);

 protected:
  // Opens read-only. A writer must have opened the database before.
  static Connection open_reader(const std::string& path);

 private:
  explicit Connection(const std::string& path);
  struct Prepared;
  std::unique_ptr<SQLite::Database> database_;
  std::unique_ptr<int> wal_pages_;               // at a fixed address for SQLite's hook
  std::unique_ptr<std::function<bool()>> stop_;  // at a fixed address, too
  std::unordered_map<const char*, std::unique_ptr<Prepared>> prepared_;
};

// A read-only connection. Specs, which may be a megabyte, are read through it and never through the
// writer's connection, which all users wait for.
class Reader : public Connection {
 public:
  explicit Reader(const std::string& path) : Connection(open_reader(path)) {}
};

}  // namespace taskd
