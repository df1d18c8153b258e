// What the statements of a test's connections do: a measure of reading that no clock disturbs.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <string_view>

namespace taskd::test {

// Counts on every connection that is opened while it lives, so it comes before the fixture. One at
// a time in a process.
class SqlWork {
 public:
  SqlWork() { ::sqlite3_auto_extension(entry()); }
  ~SqlWork() { ::sqlite3_cancel_auto_extension(entry()); }
  SqlWork(const SqlWork&) = delete;

  // From now on. `text`, a literal, stands in the statements whose runs are counted, and of which
  // the gate holds those that begin.
  void count(const char* text) {
    text_ = text;
    runs_ = 0;
    steps_ = 0;
  }
  static std::int64_t runs() { return runs_; }
  static std::int64_t steps() { return steps_; }  // of SQLite's machine, in all statements

  // While one lives, statements that would begin wait for its end.
  class Gate {
   public:
    Gate() { is_closed_ = true; }
    ~Gate() {
      is_closed_ = false;
      is_closed_.notify_all();
    }
    Gate(const Gate&) = delete;
  };
  static int held() { return held_; }

 private:
  using Entry = void (*)();
  static Entry entry() { return reinterpret_cast<Entry>(&watch); }
  static int watch(sqlite3* db, char**, const void*) {
    return ::sqlite3_trace_v2(db, SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE, note, nullptr);
  }
  static int note(unsigned what, void*, void* object, void*) {
    auto* statement = static_cast<sqlite3_stmt*>(object);
    const char* sql = ::sqlite3_sql(statement);
    const bool is_counted =
        sql != nullptr && std::string_view(sql).find(text_.load()) != std::string_view::npos;
    if (what == SQLITE_TRACE_PROFILE) {
      steps_ += ::sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, /*reset=*/1);
      if (is_counted) ++runs_;
    } else if (is_counted && is_closed_) {
      ++held_;
      is_closed_.wait(true);
      --held_;
    }
    return 0;
  }

  inline static std::atomic<const char*> text_ = "no statement";
  inline static std::atomic<std::int64_t> runs_ = 0;
  inline static std::atomic<std::int64_t> steps_ = 0;
  inline static std::atomic<bool> is_closed_ = false;
  inline static std::atomic<int> held_ = 0;
};

}  // namespace taskd::test
