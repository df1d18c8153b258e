// The disk fails or is full; the daemon is killed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "tests/unit/store/fault_vfs.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

struct FaultFixture {
  FaultVfs disk;
  Fixture store;  // opened on the failing disk
};

TEST_CASE_FIXTURE(FaultFixture, "after a failed fsync nothing is acknowledged, and it says why") {
  const TaskId before = store.submit();
  FaultVfs::fail_sync = true;
  CHECK_THROWS(store.submit());
  REQUIRE(store.fatal.size() == 1);
  CHECK(store.fatal[0].find("taskd.db cannot be trusted any more") != std::string::npos);
  FaultVfs::fail_sync = false;
  CHECK_THROWS(store.submit());
  CHECK_THROWS(store.store->claim(1));
  CHECK(store.fatal.size() == 1);
  CHECK(store.state(before) == State::queued);  // what is stored can still be read
}

TEST_CASE_FIXTURE(FaultFixture,
                  "idle workers get nothing of a commit that fails, and are told so") {
  store.idle = 1;
  FaultVfs::full = true;
  CHECK_THROWS_AS(store.submit(), DiskFull);
  FaultVfs::full = false;
  for (const auto& claims : store.handed) CHECK_FALSE(claims);
  CHECK(std::cmp_equal(store.handed.size(), store.promised));
  store.handed.clear();
  store.submit();
  REQUIRE(store.handed.size() == 1);
  CHECK(store.finish(store.handed[0]->claims.at(0)));
  FaultVfs::fail_sync = true;
  CHECK_THROWS(store.submit());
  FaultVfs::fail_sync = false;
  REQUIRE(store.handed.size() == 2);
  CHECK_FALSE(store.handed[1]);
}

TEST_CASE_FIXTURE(FaultFixture, "all who wait for a commit that fails are told so") {
  FaultVfs::fail_sync = true;
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      try {
        store.submit();
      } catch (const std::exception&) {
        ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  FaultVfs::fail_sync = false;
  CHECK(refused == 16);
  CHECK(store.fatal.size() == 1);
}

TEST_CASE_FIXTURE(FaultFixture, "on a full disk a submit is refused and changes nothing") {
  const TaskId id = store.submit();
  store.take_changes();
  FaultVfs::full = true;
  CHECK_THROWS_AS(store.submit(), DiskFull);
  CHECK_THROWS_AS(store.control(Verb::cancel, id), DiskFull);
  CHECK_THROWS_AS(store.store->claim(1), DiskFull);
  CHECK(store.state(id) == State::queued);  // reads go on
  CHECK(store.take_changes().empty());
  FaultVfs::full = false;
  CHECK(store.submit() == id + 1);
  CHECK(store.store->queues().at(0).counts[static_cast<int>(State::queued)] == 2);
  CHECK(store.fatal.empty());
  CHECK(std::filesystem::exists(store.dir / "taskd.db.ballast"));
}

TEST_CASE_FIXTURE(FaultFixture, "an end is recorded from the ballast, which then comes back") {
  store.submit();
  store.submit();
  const Claim claimed = store.claim();
  const std::string ballast = store.dir / "taskd.db.ballast";
  FaultVfs::full = true;
  // The room of the ballast is what lets the disk write again.
  std::atomic<bool> stop{false};
  std::thread room([&] {
    while (!stop && std::filesystem::exists(ballast)) std::this_thread::yield();
    FaultVfs::full = false;
  });
  bool accepted = false;
  while (!accepted) {
    try {
      accepted = store.finish(claimed);
    } catch (const DiskFull&) {
      // tried before the room was seen; the engine, too, tries again
    }
  }
  stop = true;
  room.join();
  CHECK(store.state(claimed.task) == State::succeeded);
  CHECK_FALSE(std::filesystem::exists(ballast));
  store.submit();  // this file system has room: the ballast is put back first
  CHECK(std::filesystem::exists(ballast));
}

TEST_CASE_FIXTURE(FaultFixture, "without ballast an end waits until there is room") {
  store.submit();
  NewTask delayed = Fixture::task();
  delayed.delay_ms = 1;
  store.submit(delayed);
  const Claim claimed = store.claim();
  FaultVfs::full = true;
  CHECK_THROWS_AS(store.finish(claimed), DiskFull);
  CHECK_THROWS_AS(store.finish(claimed), DiskFull);
  CHECK_THROWS_AS(store.store->promote(store.clock.wall_now() + 1, 10), DiskFull);
  FaultVfs::full = false;
  CHECK(store.finish(claimed));
  CHECK(store.state(claimed.task) == State::succeeded);
  CHECK(store.fatal.empty());
}

TEST_CASE_FIXTURE(FaultFixture, "in a batch on a full disk each command gets its own answer") {
  store.submit();
  const Claim claimed = store.claim();
  FaultVfs::full = true;
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      try {
        store.submit();
      } catch (const DiskFull&) {
        ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  FaultVfs::full = false;
  CHECK(refused == 8);
  CHECK(store.finish(claimed));
  CHECK(store.number("SELECT count(*) FROM tasks") == 1);
  CHECK(store.number("SELECT sum(count) FROM counters") == 1);
}

// In the child: submits from some threads and writes each id to `out` once it is acknowledged.
[[noreturn]] void submit_until_killed(const StoreOptions& options, int out) {
  const auto store = TaskStore::open(options);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (;;) {
        const auto result = store->submit({kAlice, {Fixture::task()}, "", ""});
        const TaskId id = std::get<Submitted>(result).ids.at(0);
        if (::write(out, &id, sizeof id) != sizeof id) ::_exit(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ::_exit(1);
}

TEST_CASE("what was acknowledged before a kill -9 is there afterwards") {
  const TempDir dir;
  const FakeClock clock;
  StoreOptions options;
  options.path = dir / "taskd.db";
  options.ballast_bytes = 0;
  options.clock = &clock;
  options.on_commit = [](std::span<const Change>) {};
  options.on_fatal = [](const std::string&) { ::_exit(1); };
  for (int round = 0; round < 5; ++round) {
    int pipe_fds[2];
    REQUIRE(::pipe(pipe_fds) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) submit_until_killed(options, pipe_fds[1]);
    ::close(pipe_fds[1]);
    std::vector<TaskId> acknowledged;
    TaskId id = 0;
    while (::read(pipe_fds[0], &id, sizeof id) == sizeof id) {
      acknowledged.push_back(id);
      if (acknowledged.size() == 100) ::kill(child, SIGKILL);
    }
    ::close(pipe_fds[0]);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    CHECK(acknowledged.size() >= 100);
    const auto store = TaskStore::open(options);
    for (const TaskId known : acknowledged) CHECK(store->get(kRoot, known).has_value());
    SQLite::Database db(options.path);
    CHECK(db.execAndGet("PRAGMA integrity_check").getString() == "ok");
    CHECK(db.execAndGet("SELECT sum(count) FROM counters").getInt64() ==
          db.execAndGet("SELECT count(*) FROM tasks").getInt64());
  }
}

}  // namespace
}  // namespace taskd
