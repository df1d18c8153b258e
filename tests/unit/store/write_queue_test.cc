#include "daemon/store/write/write_queue.h"

#include <sqlite3.h>

#include <algorithm>
#include <future>
#include <thread>

#include "daemon/store/db/migrator.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

// A queue without a store around it, over a table of its own.
struct QueueFixture {
  explicit QueueFixture(int max_batch = 256) {
    options.path = dir / "taskd.db";
    options.ballast_bytes = 0;
    options.max_batch = max_batch;
    options.clock = &clock;
    options.on_commit = [this](std::span<const Change> batch) { batches.push_back(batch.size()); };
    options.on_fatal = [this](const std::string& reason) { fatal.push_back(reason); };
    Connection db = Connection::open_writer(options.path);
    migrate(db.database(), options.path);
    db.database().exec("CREATE TABLE notes (note TEXT UNIQUE)");
    handle = db.database().getHandle();
    queue = std::make_unique<WriteQueue>(std::move(db), options, 1);
  }
  void note(const std::string& text) {
    queue->run(WhenFull::refuse, [&](Transaction& transaction) {
      transaction.db().run("INSERT INTO notes (note) VALUES (?1)", text);
      transaction.add_change(StoredTask());
    });
  }
  // Keeps the writer busy until the returned promise is set, so that what follows is one batch.
  std::promise<void> occupy() {
    std::promise<void> release;
    std::promise<void> begun;
    blocker = std::thread([this, go = release.get_future().share(), &begun] {
      queue->run(WhenFull::refuse, [&](Transaction&) {
        begun.set_value();
        go.wait();
      });
    });
    begun.get_future().wait();
    return release;
  }
  std::int64_t notes() {
    return SQLite::Database(options.path).execAndGet("SELECT count(*) FROM notes").getInt64();
  }

  TempDir dir;
  FakeClock clock;
  StoreOptions options;
  std::vector<std::size_t> batches;
  std::vector<std::string> fatal;
  sqlite3* handle = nullptr;
  std::thread blocker;
  std::unique_ptr<WriteQueue> queue;
};

// Runs `call` for 0 … count - 1 at once, behind a busy writer; they end up in one batch. Returns
// which of them threw.
template <class Call>
std::vector<bool> at_once(QueueFixture& fixture, int count, Call call) {
  std::promise<void> release = fixture.occupy();
  std::vector<char> threw(static_cast<std::size_t>(count));
  std::atomic<int> about_to_run{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      ++about_to_run;
      try {
        call(i);
      } catch (const std::exception&) {
        threw[static_cast<std::size_t>(i)] = 1;
      }
    });
  }
  while (about_to_run < count) std::this_thread::yield();
  release.set_value();
  for (std::thread& thread : threads) thread.join();
  fixture.blocker.join();
  return {threw.begin(), threw.end()};
}

TEST_CASE("a command alone is committed at once, and seen by others when run() returns") {
  QueueFixture fixture;
  fixture.note("a");
  CHECK(fixture.notes() == 1);
  CHECK(fixture.batches == std::vector<std::size_t>{1});
}

TEST_CASE("a command that fails after it changed queues takes nothing else's counts along") {
  QueueFixture fixture;
  std::int64_t capacity = 0;
  const auto threw = at_once(fixture, 32, [&](int i) {
    fixture.queue->run(WhenFull::refuse, [&, i](Transaction& transaction) {
      if (i % 2 == 0) return transaction.queues().add("default", State::held, 1);
      transaction.db().run("UPDATE queues SET capacity = 7");
      transaction.queues().reload_settings(transaction.db(), transaction.now());
      throw std::runtime_error("changed its mind");
    });
  });
  CHECK(std::count(threw.begin(), threw.end(), true) == 16);
  fixture.queue->run(WhenFull::refuse, [&](Transaction& transaction) {
    capacity = transaction.queues().info("default").settings.capacity;
  });
  CHECK(capacity == 100'000);
  SQLite::Database db(fixture.options.path);
  CHECK(db.execAndGet("SELECT count FROM counters WHERE state = 'held'").getInt() == 16);
}

TEST_CASE("a command that fails changes nothing and tells its caller alone") {
  QueueFixture fixture;
  fixture.note("taken");
  const auto threw = at_once(fixture, 32, [&](int i) {
    if (i % 4 == 0) return fixture.note("taken");  // UNIQUE refuses it
    if (i % 4 == 1) {
      return fixture.queue->run(WhenFull::refuse, [&](Transaction& transaction) {
        transaction.db().run("INSERT INTO notes (note) VALUES (?1)", std::to_string(i));
        throw std::runtime_error("changed its mind");
      });
    }
    fixture.note(std::to_string(i));
  });
  for (std::size_t i = 0; i < threw.size(); ++i) CHECK(threw[i] == (i % 4 < 2));
  CHECK(fixture.notes() == 1 + 16);
  std::size_t told = 0;
  for (const std::size_t size : fixture.batches) told += size;
  CHECK(told == 1 + 16);  // nobody is told of what was rolled back
  CHECK(fixture.fatal.empty());
}

TEST_CASE("a command alone that fails changes nothing") {
  QueueFixture fixture;
  CHECK_THROWS_WITH(fixture.queue->run(WhenFull::refuse,
                                       [&](Transaction& transaction) {
                                         transaction.db().run("INSERT INTO notes VALUES ('x')");
                                         throw std::runtime_error("no");
                                       }),
                    "no");
  CHECK(fixture.notes() == 0);
  fixture.note("x");
}

TEST_CASE("commands that wait together are committed together, up to the batch's limit") {
  QueueFixture fixture(8);
  at_once(fixture, 20, [&](int i) { fixture.note(std::to_string(i)); });
  CHECK(fixture.notes() == 20);
  for (const std::size_t size : fixture.batches) CHECK(size <= 8);
  CHECK(*std::max_element(fixture.batches.begin(), fixture.batches.end()) > 1);
}

TEST_CASE("closing the queue finishes what it was given") {
  QueueFixture fixture;
  std::promise<void> release = fixture.occupy();
  std::atomic<bool> given{false};
  std::thread caller([&] {
    given = true;
    fixture.note("late");
  });
  while (!given) std::this_thread::yield();
  release.set_value();
  caller.join();
  fixture.blocker.join();
  fixture.queue.reset();
  CHECK(fixture.notes() == 1);
}

TEST_CASE("a COMMIT that fails stops the writer: nothing is acknowledged any more") {
  QueueFixture fixture;
  fixture.note("before");
  sqlite3_commit_hook(
      fixture.handle, [](void*) { return 1; }, nullptr);
  CHECK_THROWS(fixture.note("lost"));
  REQUIRE(fixture.fatal.size() == 1);
  CHECK(fixture.fatal[0].find(fixture.options.path) != std::string::npos);
  sqlite3_commit_hook(fixture.handle, nullptr, nullptr);
  CHECK_THROWS(fixture.note("after"));  // also when the disk seems to be well again
  CHECK(fixture.fatal.size() == 1);
  CHECK(fixture.notes() == 1);
}

TEST_CASE("the WAL does not grow without end") {
  QueueFixture fixture;
  const std::string text(4000, 'x');
  for (int i = 0; i < 200; ++i) {
    fixture.queue->run(WhenFull::refuse, [&](Transaction& transaction) {
      for (int k = 0; k < 100; ++k) {
        transaction.db().run("INSERT INTO notes (note) VALUES (?1)",
                             text + std::to_string(i * 100 + k));
      }
    });
  }
  CHECK(std::filesystem::file_size(fixture.options.path) > 60 << 20);
  CHECK(std::filesystem::file_size(fixture.options.path + "-wal") < 20 << 20);
}

}  // namespace
}  // namespace taskd
