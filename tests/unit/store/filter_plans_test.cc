// How the tasks of a filter are found.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

#include <algorithm>

#include "daemon/store/read/id_range.h"
#include "daemon/store/read/selection.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

using Ids = std::vector<TaskId>;

// The statements that a read makes, with their values.
class Statements {
 public:
  explicit Statements(sqlite3* db) : db_(db) {
    const auto note = [](unsigned, void* self, void* statement, void*) {
      char* sql = sqlite3_expanded_sql(static_cast<sqlite3_stmt*>(statement));
      static_cast<Statements*>(self)->all.emplace_back(sql);
      sqlite3_free(sql);
      return 0;
    };
    sqlite3_trace_v2(db_, SQLITE_TRACE_STMT, note, this);
  }
  ~Statements() { sqlite3_trace_v2(db_, 0, nullptr, nullptr); }
  Statements(const Statements&) = delete;

  std::vector<std::string> all;

 private:
  sqlite3* db_;
};

// That a filter costs the same however many tasks it leaves out rests on these plans.
TEST_CASE_FIXTURE(Fixture, "no filter looks at all tasks") {
  NewTask keyed = task();
  keyed.spec.constraints.key.name = "k";
  submit(keyed);
  clock.wall_ms += 1000;
  submit();
  const WallTime now = clock.wall_now();
  std::map<std::string, Filter> filters;
  filters["queue"].queue = "default";
  filters["name"].name = "x";
  filters["since"].since = now;
  filters["until"].until = now;
  filters["ended before"].ended_before = now;
  filters["ended since"].ended_since = now;
  filters["workflow"].workflow = 1;
  filters["ids"].ids = {{1, 5}, {7, 90}};
  filters["state and ids"].ids = {{1, 5}};
  filters["state and ids"].states = {State::failed, State::held};
  filters["key"].key = "k";
  filters["reason"].reasons = dead_reasons();
  filters["label"].labels = {{"a", "b"}};
  filters["state and queue"].states = {State::failed};
  filters["state and queue"].queue = "default";
  Reader db(dir / "taskd.db");
  for (const auto& entry : filters) {
    const std::string& what = entry.first;
    const Filter& filter = entry.second;
    for (const bool oldest_first : {false, true}) {
      CAPTURE(what);
      ListRequest request;
      request.actor = kRoot;
      request.filter = filter;
      request.oldest_first = oldest_first;
      request.within = IdRange{1, 100};  // as if there were some
      Statements statements(db.database().getHandle());
      range_of(db, filter);
      select_ids(db, request);
      REQUIRE_FALSE(statements.all.empty());
      for (const std::string& sql : std::vector<std::string>(statements.all)) {
        CAPTURE(sql);
        SQLite::Statement plan(db.database(), "EXPLAIN QUERY PLAN " + sql);
        while (plan.executeStep()) {
          const std::string step = plan.getColumn(3).getString();
          CAPTURE(step);
          const bool scans = step.starts_with("SCAN t") && !step.starts_with("SCAN task_") &&
                             step.find("USING") == std::string::npos;
          CHECK_FALSE(scans);
          CHECK(step.find("TEMP B-TREE") == std::string::npos);
        }
      }
    }
  }
}

TEST_CASE_FIXTURE(Fixture, "who has few tasks finds them among very many of others") {
  NewTask many = task();
  many.array = ArrayRange{.first = 1, .last = 1'100};
  submit(many, kAlice);
  while (store->promote(clock.wall_now(), 10) == clock.wall_now()) {
  }
  const TaskId own = submit(task(), kBob);
  Reader db(dir / "taskd.db");
  const Statements statements(db.database().getHandle());
  ListRequest request;
  request.actor = kBob;
  request.filter.states = {State::queued};
  CHECK(select_ids(db, request) == Ids{own});
  CHECK(std::any_of(statements.all.begin(), statements.all.end(), [](const std::string& sql) {
    return sql.find("INDEXED BY tasks_of_user WHERE t.state = 'queued'") != std::string::npos;
  }));
}

}  // namespace
}  // namespace taskd
