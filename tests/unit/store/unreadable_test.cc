// Rows that cannot be read, whatever wrote them: a row fails, or is passed over, and nothing else
// notices.
#include <set>

#include "daemon/store/limits/queue_table.h"
#include "tests/support/memory_folder.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

constexpr char kQueue[] = "q";
constexpr std::int64_t kStartMs = 1'700'000'100'000;

// A store with a row of everything that a daemon reads while it runs.
struct FullStore : Fixture {
  FullStore() : Fixture({{"mail", {HookEvent::submitted, HookEvent::failed}}}, memory_folder()) {
    describes_specs = true;
    machine.slots = 100;
    machine.resources["gpu"] = {4, {"0", "1", "2", "3"}};
    restart();
    fill();
    store.reset();
    open_database().exec("VACUUM INTO '" + (dir / "full.db") + "'");
  }

  NewTask in_queue() {
    NewTask one = task();
    one.spec.queue = kQueue;
    return one;
  }

  void fill() {
    QueuePatch patch{.name = kQueue};
    patch.rate = RateLimit{50, 60'000, 50};
    patch.notify = std::vector<Notify>{{"mail", {}}};
    patch.defaults = R"({"timeout_ms":60000})";
    store->set_queue(kRoot, patch, true);
    NewTask keyed = in_queue();
    keyed.spec.constraints.key = {"k", 1, RateLimit{10, 60'000, 5}};
    keyed.spec.constraints.resources["gpu"] = 1;
    keyed.spec.max_attempts = 3;
    keyed.spec.labels = {{"team", "a"}};
    keyed.spec.constraints.unique = {"u1", 60'000, UniqueWhile::active};
    const TaskId ended = submit(keyed);
    finish(claim(), OutcomeKind::exited, 0);
    CHECK(state(ended) == State::succeeded);
    keyed.spec.constraints.unique.key = "u2";
    submit(keyed);
    const Claim running = claim();
    store->write_progress(std::vector<ProgressReport>{
        {{running.task, running.attempt, running.token}, {50, "half"}, clock.wall_now()}});
    store->set_result({running.task, running.attempt, running.token}, "17");
    keyed.spec.constraints.unique.key = "u3";
    submit(keyed);  // waits for its key
    NewTask after = in_queue();
    after.spec.constraints.depends_on = {{running.task, DependencyOn::ok}};
    after.spec.constraints.on_dependency_failed = OnDependencyFailed::cancel;
    submit(after);
    NewTask later = in_queue();
    later.delay_ms = 60'000;
    submit(later);
    NewTask held = in_queue();
    held.hold = true;
    submit(held);
    NewTask many = in_queue();
    many.array = ArrayRange{1, 3, 1, 1};
    try_submit({many}, kAlice, "key");
    SubmitRequest request{kAlice, {in_queue(), in_queue()}, "", ""};
    request.workflow = "w";
    request.steps = {{"one", {}}, {"two", {{0, DependencyOn::ok}}}};
    store->submit(request);
    ScheduleSettings settings;
    settings.name = "s";
    settings.every_ms = 60'000;
    settings.task = in_queue().spec;
    store->put_schedule(kAlice, kAlice.uid, settings);
    const Schedule schedule = store->schedule(kAlice, {kAlice.uid, "s"}).value();
    store->fire({schedule.id,
                 schedule.done_until,
                 {clock.wall_now() + 1},
                 clock.wall_now() + 1,
                 clock.wall_now() + 2});
    NewTask told = in_queue();
    told.hold = true;
    store->know_user(kAlice.uid, "alice");
    const TaskId gone = submit(told);
    control(Verb::cancel, gone);
    control(Verb::remove, gone);
  }

  // As a daemon that finds the database like this.
  void start_on(const std::string& damage) {
    store.reset();
    for (const char* rest : {"", "-wal", "-shm"})
      std::filesystem::remove((dir / "taskd.db") + rest);
    std::filesystem::copy_file(dir / "full.db", dir / "taskd.db");
    {
      SQLite::Database db = open_database();
      db.exec("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF");
      try {
        db.exec(damage);
      } catch (const SQLite::Exception&) {
        // It is not to be had: the row must be the only one of its kind.
      }
    }
    clock.wall_ms = kStartMs;
    start();
  }

  void end_all(std::vector<Claim> claims) {
    for (const Claim& one : claims)
      finish(one, OutcomeKind::exited, one.unreadable.empty() ? 0 : 1);
  }

  // Everything that goes on by itself, and everything that is looked at.
  void live() {
    for (int round = 0; round < 2; ++round) {
      clock.wall_ms += 61'000;
      const WallTime now = clock.wall_now();
      store->rewind_clock(now);
      end_all(store->running_attempts());
      for (int i = 0; i < 20 && store->promote(now, 100) == now; ++i) {
      }
      for (const Schedule& one : store->due_schedules(now, 10)) {
        store->fire({one.id, one.done_until, {now}, now, now + 60'000});
      }
      for (int i = 0; i < 50; ++i) {
        const auto claims = store->claim(10).claims;
        if (claims.empty()) break;
        end_all(claims);
      }
      int told = 0;
      for (auto due = store->due_delivery("mail", now); due.delivery;
           due = store->due_delivery("mail", now)) {
        REQUIRE(++told < 200);
        CHECK(due.task.front() == '{');
        store->record_try({*due.delivery, DeliveryState::delivered, {}, ""});
      }
      look();
    }
  }

  void end() {
    clock.wall_ms += 40LL * 24 * 3600 * 1000;
    for (int i = 0; i < 50 && !store->prune(clock.wall_now(), 100).tasks.empty(); ++i) {
    }
  }

  void look() {
    ListRequest request;
    request.actor = kRoot;
    request.limit = 1000;
    for (const Task& one : store->list(request)) {
      store->get(kRoot, one.id);
      store->why(kRoot, one.id);
      store->attempts(one.id);
      store->deliveries(one.id, 0, 100);
      store->dependencies(one.id);
      store->result(one.id);
    }
    store->state_counts(kRoot, {{1, 1000}});
    store->queues();
    store->keys({.actor = kRoot});
    store->workflows(kRoot, {}, 10);
    for (const Schedule& one : store->schedules(kRoot)) store->slots(one.id, 10);
    store->allocation();
    store->hook_counts("mail");
    store->array(kRoot, 7);
  }
};

// Of one table those that may hold anything. That a queue is there the database sees to itself.
std::vector<std::string> damages(SQLite::Database& db, const std::string& table) {
  std::vector<std::string> all;
  SQLite::Statement columns(db, "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)");
  columns.bind(1, table);
  while (columns.executeStep()) {
    const std::string column = columns.getColumn(0).getString();
    const bool is_name = column == "queue" || (table == "queues" && column == "name");
    const std::string set = "UPDATE " + table + " SET " + column + " = ";
    if (columns.getColumn(1).getString() == "TEXT" && !is_name) {
      all.push_back(set + "'torn 7=x {\"'");
    }
    if (columns.getColumn(2).getInt() == 0 && columns.getColumn(3).getInt() == 0) {
      all.push_back(set + "NULL");
    }
  }
  return all;
}

TEST_CASE_FIXTURE(FullStore, "whatever cannot be read, the daemon goes on, and so do other tasks") {
  std::vector<std::string> all;
  {
    SQLite::Database db(dir / "full.db", SQLite::OPEN_READONLY);
    SQLite::Statement tables(db, "SELECT name FROM sqlite_schema WHERE type = 'table'");
    while (tables.executeStep()) {
      const std::string table = tables.getColumn(0).getString();
      // Who the store is, and the history that only people read, are not what moves tasks.
      if (table == "store" || table == "sqlite_sequence" || table == "events") continue;
      CHECK_MESSAGE(db.execAndGet("SELECT EXISTS (SELECT 1 FROM " + table + ")").getInt() +
                            (table == "clock_steps" || table == "links_to_update" ||
                             table == "array_dependencies") >
                        0,
                    table);
      for (std::string& one : damages(db, table)) all.push_back(std::move(one));
    }
  }
  REQUIRE(all.size() > 70);
  for (const std::string& damage : all) {
    CAPTURE(damage);
    try {
      start_on(damage);
      const TaskId sound = submit(task(), kBob);
      live();
      CHECK(state(sound) == State::succeeded);
      end();
      CHECK(number("SELECT count(*) FROM tasks WHERE id = " + std::to_string(sound)) == 0);
    } catch (const std::exception& error) {
      FAIL_CHECK(std::string(error.what()));
    }
    CHECK(fatal.empty());
    fatal.clear();
  }
}

TEST_CASE("a task whose spec or policy is of a newer version fails, and holds up no other") {
  for (const char* table : {"task_specs SET spec", "tasks SET policy"}) {
    CAPTURE(table);
    Fixture f;
    const TaskId newer = f.submit();
    const TaskId other = f.submit();
    f.open_database().exec("UPDATE " + std::string(table) +
                           R"( = '{"version":2,"argv":["true"],"new":1}' WHERE )" +
                           (table[4] == '_' ? "task_id" : "id") + " = " + std::to_string(newer));
    f.restart();
    for (int i = 0; i < 2; ++i) {
      const Claim one = f.claim();
      CHECK(one.unreadable == (one.task == other ? ""
                                                 : "a stored spec has version 2; this taskd reads "
                                                   "up to version 1"));
      CHECK(f.finish(one, one.task == other ? OutcomeKind::exited : OutcomeKind::spawn_failed));
    }
    CHECK(f.state(newer) == State::failed);
    CHECK(f.state(other) == State::succeeded);
  }
}

TEST_CASE("a task whose demand cannot be read fails, and its line is left") {
  for (const char* demand : {"x", "2 gpu", "0", "-3", "99999999999", "2 gpu=x", "2  gpu=1"}) {
    for (const bool anew : {true, false}) {
      CAPTURE(demand);
      CAPTURE(anew);
      Fixture f;
      const TaskId torn = f.submit();
      const TaskId other = f.submit();
      if (!anew) f.finish(f.claim(), OutcomeKind::not_started);  // its lines are known
      f.open_database().exec(std::string("UPDATE tasks SET demand = '") + demand +
                             "' WHERE id = " + std::to_string(torn));
      f.restart();
      std::set<TaskId> seen;
      for (const Claim& one : f.store->claim(10).claims) {
        seen.insert(one.task);
        CHECK(one.unreadable.empty() == (one.task == other));
        CHECK(f.finish(one,
                       one.unreadable.empty() ? OutcomeKind::exited : OutcomeKind::spawn_failed));
      }
      CHECK(seen == std::set<TaskId>{torn, other});
      CHECK(f.state(torn) == State::failed);
      CHECK(f.store->claim(10).claims.empty());
    }
  }
}

TEST_CASE("a running task whose demand or units cannot be read is recovered, and takes one slot") {
  for (const char* damage :
       {"UPDATE tasks SET demand = 'torn' WHERE id = 1", "UPDATE attempts SET granted = 'torn'"}) {
    CAPTURE(damage);
    Fixture f;
    f.machine.slots = 4;
    f.machine.resources["gpu"] = {2, {"0", "1"}};
    f.restart();
    NewTask large = f.task();
    large.spec.constraints.slots = 2;
    large.spec.constraints.resources["gpu"] = 1;
    f.submit(large);
    f.claim();
    f.open_database().exec(damage);
    f.restart();
    const auto running = f.store->running_attempts();
    REQUIRE(running.size() == 1);
    CHECK(f.store->allocation().slots >= 1);
    CHECK(f.store->attempts(1).size() == 1);
    f.submit();
    CHECK(f.store->why(kRoot, 2).has_value());
    f.finish(f.claim());
    CHECK(f.finish(running[0]));
    CHECK(f.state(1) == State::succeeded);
  }
}

TEST_CASE("a delivery that cannot be read is dropped, and the next one goes") {
  for (const char* damage : {"event = 'torn'", "state = 'torn'", "task = 'torn'", "task = ''"}) {
    CAPTURE(damage);
    Fixture f({{"mail", {HookEvent::submitted, HookEvent::cancelled}}});
    NewTask task = f.task();
    task.spec.notify = {{"mail", {}}};
    const TaskId first = f.submit(task);
    f.control(Verb::cancel, first);
    {
      SQLite::Database db = f.open_database();
      db.exec("PRAGMA ignore_check_constraints = ON");
      db.exec(std::string("UPDATE deliveries SET ") + damage + " WHERE seq = 1");
    }
    f.restart();
    f.store->resume_deliveries();
    const auto due = f.store->due_delivery("mail", f.clock.wall_now());
    REQUIRE(due.delivery.has_value());
    CHECK(due.delivery->seq == 2);
    CHECK(f.number("SELECT count(*) FROM deliveries") == 1);
    CHECK(f.texts("SELECT detail FROM events WHERE type = 'delivery_dropped'").size() == 1);
  }
}

TEST_CASE("a task in no state is held, and a person can end it") {
  Fixture f;
  const TaskId id = f.submit();
  {
    SQLite::Database db = f.open_database();
    db.exec("PRAGMA ignore_check_constraints = ON");
    db.exec("UPDATE tasks SET state = 'torn'");
  }
  f.restart();
  CHECK(f.state(id) == State::held);
  CHECK(f.store->claim(1).claims.empty());
  CHECK(f.control(Verb::cancel, id).state == State::cancelled);
  f.control(Verb::remove, id);
  CHECK(f.number("SELECT count(*) FROM tasks") == 0);
}

}  // namespace
}  // namespace taskd
