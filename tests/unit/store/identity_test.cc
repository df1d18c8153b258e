// Which store a database is: what the mark beside it tells, and what follows.
#include "daemon/store/db/identity.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/base/files.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

namespace fs = std::filesystem;

const std::string kId(32, 'a');

TEST_CASE("what a mark says of a database is decided by a table") {
  const StoreIdentity database{kId, 2, 9, 100};
  const FileEvidence here{77, "1:aabb"};
  const Mark mark{database, here};
  const auto with = [&](auto change) {
    Mark other = mark;
    change(other);
    return std::optional(other);
  };
  const StoreIdentity unused{kId, 0, 0, 0};
  struct Row {
    const char* why;
    StoreIdentity database;
    std::optional<Mark> mark;
    FileEvidence found;
    TaskId folder_task;
    Provenance provenance;
  };
  const std::string other_id(32, 'b');
  const Row rows[] = {
      {"neither was used", unused, std::nullopt, {}, 0, Provenance::first_start},
      {"the first start was cut off", unused, mark, here, 0, Provenance::first_start},
      {"both agree", database, mark, here, 0, Provenance::original},
      {"with files of its tasks", database, mark, here, 100, Provenance::original},
      {"the database went on since", {kId, 2, 12, 900}, mark, here, 700, Provenance::original},
      {"no mark", database, std::nullopt, {}, 0, Provenance::copy},
      {"another inode", database, mark, {78, "1:aabb"}, 0, Provenance::copy},
      {"the inode was used again", database, mark, {77, "1:aabc"}, 0, Provenance::copy},
      {"handles of another form", database, mark, {77, "2:aabbcc"}, 0, Provenance::original},
      {"no handles here any more", database, mark, {77, ""}, 0, Provenance::original},
      {"no handle when it was made", database, with([](Mark& m) { m.self.handle = ""; }), here, 0,
       Provenance::original},
      {"another store's mark", database, with([&](Mark& m) { m.store.id = other_id; }), here, 0,
       Provenance::copy},
      {"fewer starts than the folder knows", {kId, 2, 8, 100}, mark, here, 0, Provenance::restored},
      {"an earlier epoch", {kId, 1, 9, 100}, mark, here, 0, Provenance::restored},
      {"fewer tasks", {kId, 2, 9, 99}, mark, here, 0, Provenance::restored},
      {"files of a task it never had", database, mark, here, 101, Provenance::restored},
      {"a new database in the place of another", unused,
       with([&](Mark& m) { m.store.id = other_id; }), here, 0, Provenance::restored},
      {"files of tasks beside a database that never had any",
       unused,
       std::nullopt,
       {},
       5,
       Provenance::restored},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(judge(row.database, row.mark, row.found, row.folder_task) == row.provenance);
  }
}

TEST_CASE("a mark reads back as it was written, and only where it was written") {
  const TempDir dir;
  const std::string path = dir / "taskd.db.mark";
  const StoreIdentity store{kId, 3, 14, 15'926};
  CHECK(write_mark(path, store));
  const FoundMark found = read_mark(path);
  REQUIRE(found.mark);
  CHECK(found.mark->store == store);
  CHECK(found.mark->self == found.self);
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  fs::copy_file(path, dir / "copy");
  const FoundMark copy = read_mark(dir / "copy");
  REQUIRE(copy.mark);
  CHECK_FALSE(copy.mark->self == copy.self);
  CHECK(write_mark(path, store));  // in one step, with its own inode again
  CHECK(read_mark(path).mark->self == read_mark(path).self);
}

TEST_CASE("a mark that says nothing useful is none") {
  const TempDir dir;
  const std::string path = dir / "mark";
  CHECK_FALSE(read_mark(path).mark);
  CHECK(write_mark(path, {kId, 1, 1, 1}));
  const std::string whole = read_file(path, 4096).value();
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    std::ofstream(path, std::ios::trunc) << whole.substr(0, bytes);
    CHECK_FALSE(read_mark(path).mark);
  }
  std::ofstream(path, std::ios::trunc) << std::string(20'000, 'x');
  CHECK_FALSE(read_mark(path).mark);
  fs::remove(path);
  fs::create_symlink("/dev/zero", path);
  CHECK_FALSE(read_mark(path).mark);
  fs::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK_FALSE(read_mark(path).mark);
}

// Opens what lies at `path` as another daemon would.
struct Other {
  explicit Other(const std::string& path, bool adopt = false, TaskId folder_task = 0) {
    options.path = path;
    options.boot_id = "boot-1";
    options.ballast_bytes = 0;
    options.clock = &clock;
    options.adopt_copy = adopt;
    options.folder_task = folder_task;
    options.on_commit = [](std::span<const Change>) {};
    options.on_fatal = [](const std::string& reason) { FAIL(reason); };
    store = TaskStore::open(options);
  }
  FakeClock clock;
  StoreOptions options;
  std::unique_ptr<TaskStore> store;
};

TEST_CASE("a store is the original at each start, wherever its folder is moved") {
  Fixture fixture;
  CHECK(fixture.store->provenance() == Provenance::first_start);
  const StoreIdentity first = fixture.store->identity();
  CHECK(first.epoch == 1);
  fixture.submit();
  for (int i = 0; i < 2; ++i) {
    fixture.restart();
    CHECK(fixture.store->provenance() == Provenance::original);
    CHECK(fixture.store->identity().id == first.id);
    CHECK(fixture.store->identity().epoch == 1);
  }
  fixture.store.reset();
  const std::string moved = fixture.dir / "moved";
  fs::create_directory(moved);
  for (const char* name : {"taskd.db", "taskd.db.mark"}) {
    fs::rename(fixture.dir / name, moved + "/" + name);
  }
  CHECK(Other(moved + "/taskd.db").store->provenance() == Provenance::original);
}

TEST_CASE("every way to copy a store is noticed, and nothing in the copy can be changed") {
  Fixture fixture;
  const TaskId task = fixture.submit();
  fixture.claim();
  const std::string copy = fixture.dir / "copy";
  fs::create_directory(copy);
  SUBCASE("backup") {
    SQLite::Database from = fixture.open_database();
    SQLite::Database to(copy + "/taskd.db", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    sqlite3_backup* backup = sqlite3_backup_init(to.getHandle(), "main", from.getHandle(), "main");
    CHECK(sqlite3_backup_step(backup, -1) == SQLITE_DONE);
    CHECK(sqlite3_backup_finish(backup) == SQLITE_OK);
  }
  SUBCASE("VACUUM INTO") {
    fixture.open_database().exec("VACUUM INTO '" + copy + "/taskd.db'");
  }
  SUBCASE("cp -a of the database and its wal") {
    fs::copy_file(fixture.dir / "taskd.db", copy + "/taskd.db");
    fs::copy_file(fixture.dir / "taskd.db-wal", copy + "/taskd.db-wal");
  }
  SUBCASE("cp -a of the folder") {
    for (const char* name : {"taskd.db", "taskd.db-wal", "taskd.db.mark", "taskd.db.ballast"}) {
      fs::copy_file(fixture.dir / name, copy + "/" + name);
    }
  }
  const std::string id = fixture.store->identity().id;
  {
    const Other other(copy + "/taskd.db");
    CHECK(other.store->provenance() == Provenance::copy);
    CHECK(other.store->identity().id == id);
    CHECK(other.store->get(kRoot, task)->state == State::running);
    ListRequest all;
    all.actor = kRoot;
    CHECK(other.store->list(all).size() == 1);
    CHECK_THROWS_AS(other.store->submit({kAlice, {Fixture::task()}, "", ""}), StoreIsCopy);
    CHECK_THROWS_AS(other.store->claim(1), StoreIsCopy);
    CHECK_THROWS_AS(other.store->prune({9'000'000'000'000}, 10), StoreIsCopy);
  }
  CHECK(Other(copy + "/taskd.db").store->provenance() ==
        Provenance::copy);  // looking decides nothing
  {
    const Other adopted(copy + "/taskd.db", /*adopt=*/true);
    CHECK(adopted.store->provenance() == Provenance::original);
    CHECK(adopted.store->identity().id != id);
    const Task given_up = *adopted.store->get(kRoot, task);
    CHECK(given_up.state == State::failed);
    CHECK(given_up.reason == Reason::lost);
    CHECK(adopted.store->running_attempts().empty());
    CHECK(std::get<Submitted>(adopted.store->submit({kAlice, {Fixture::task()}, "", ""})).ids ==
          std::vector<TaskId>{task + 1});
  }
  CHECK(Other(copy + "/taskd.db").store->provenance() == Provenance::original);
  CHECK(fixture.state(task) == State::running);
}

TEST_CASE("a restored database goes on in a new epoch, with ids that were never given out") {
  Fixture fixture;
  const std::string path = fixture.dir / "taskd.db";
  const std::string backup = fixture.dir / "backup";
  const TaskId known = fixture.submit();
  fixture.open_database().exec("VACUUM INTO '" + backup + "'");
  const TaskId later = fixture.submit();
  const auto put_back = [&] {
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path + suffix);
    fs::copy_file(backup, path);
  };
  TaskId next = later + 1;
  TaskId folder_task = 0;
  SUBCASE("after an orderly stop the mark knows of the later task") {
    fixture.store.reset();
    put_back();
  }
  SUBCASE("after a crash the files of the later task tell of it") {
    fixture.store.reset();
    fs::remove(path + ".mark");  // as if the stop had not written it
    const StoreIdentity as_of_start{
        SQLite::Database(backup).execAndGet("SELECT id FROM store").getString(), 1, 1, 0};
    REQUIRE(write_mark(path + ".mark", as_of_start));
    put_back();
    folder_task = 50;
    next = 51;
  }
  SUBCASE("after more starts the mark knows of these") {
    fixture.restart();
    fixture.store.reset();
    put_back();
  }
  {
    const Other restored(path, false, folder_task);
    CHECK(restored.store->provenance() == Provenance::restored);
    CHECK(restored.store->identity().epoch == 2);
    CHECK(restored.store->get(kRoot, known).has_value());
    CHECK_FALSE(restored.store->get(kRoot, later).has_value());
    CHECK(std::get<Submitted>(restored.store->submit({kAlice, {Fixture::task()}, "", ""})).ids ==
          std::vector<TaskId>{next});
  }
  CHECK(Other(path, false, folder_task).store->provenance() == Provenance::original);
}

}  // namespace
}  // namespace taskd
