#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "daemon/store/db/migrator.h"
#include "daemon/task/spec_json.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

StoreOptions options_for(const std::string& path, const Clock& clock) {
  StoreOptions options;
  options.path = path;
  options.ballast_bytes = 0;
  options.clock = &clock;
  options.on_commit = [](std::span<const Change>) {};
  options.on_fatal = [](const std::string& reason) { FAIL(reason); };
  return options;
}

// What TaskStore::open says of this file.
struct Refusal {
  int code = 0;
  std::string says;
};
Refusal refusal(const std::string& path) {
  const FakeClock clock;
  try {
    TaskStore::open(options_for(path, clock));
  } catch (const UsageError& error) {
    CHECK(std::string(error.what()).find(path) != std::string::npos);
    return {error.exit_code, error.what()};
  }
  return {};
}

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_CASE("a new database is readable by its owner alone, whatever the umask") {
  const TempDir dir;
  const FakeClock clock;
  for (const mode_t mask : {0000u, 0777u}) {
    const std::string path = dir / ("db" + std::to_string(mask));
    const mode_t before = ::umask(mask);
    const auto store = TaskStore::open(options_for(path, clock));
    ::umask(before);
    for (const char* suffix : {"", "-wal", "-shm"}) {
      struct stat info {};
      REQUIRE(::stat((path + suffix).c_str(), &info) == 0);
      CHECK((info.st_mode & 07777) == 0600);
    }
  }
}

TEST_CASE("the ballast has its blocks, and only its owner reads it") {
  Fixture fixture;
  struct stat info {};
  REQUIRE(::stat((fixture.dir / "taskd.db.ballast").c_str(), &info) == 0);
  CHECK(info.st_blocks * 512 >= 1 << 20);
  CHECK((info.st_mode & 07777) == 0600);
}

TEST_CASE("an empty file becomes a database") {
  const TempDir dir;
  const FakeClock clock;
  std::ofstream(dir / "db").close();
  CHECK(TaskStore::open(options_for(dir / "db", clock))->queues().size() == 1);
}

TEST_CASE("somebody else's database is refused and left as it was") {
  const TempDir dir;
  const std::string path = dir / "theirs.db";
  SQLite::Database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec("CREATE TABLE addresses (name TEXT)");
  const std::string before = read_all(path);
  const Refusal refused = refusal(path);
  CHECK(refused.code == 65);
  CHECK(refused.says.find("is not a taskd database") != std::string::npos);
  CHECK(read_all(path) == before);
  SQLite::Database(path, SQLite::OPEN_READWRITE)
      .exec("DROP TABLE addresses; PRAGMA application_id = 77");
  CHECK(refusal(path).code == 65);
}

TEST_CASE("a file that is no database is refused") {
  const TempDir dir;
  std::ofstream(dir / "notes.txt") << std::string(5000, 'x');
  CHECK(refusal(dir / "notes.txt").code == 65);
  REQUIRE(::mkdir((dir / "folder").c_str(), 0700) == 0);
  CHECK(refusal(dir / "folder").code == 65);
}

TEST_CASE("a database of a newer taskd is refused with what to do") {
  Fixture fixture;
  fixture.store.reset();
  fixture.open_database().exec("PRAGMA user_version = 99");
  const Refusal refused = refusal(fixture.dir / "taskd.db");
  CHECK(refused.code == 78);
  CHECK(refused.says.find("newer taskd (schema 99") != std::string::npos);
}

TEST_CASE("a database with specs of a newer taskd is refused with both versions") {
  Fixture fixture;
  const TaskId id = fixture.submit();
  fixture.store.reset();
  const std::string path = fixture.dir / "taskd.db";
  CHECK(fixture.open_database().execAndGet("SELECT spec_version FROM store").getInt() ==
        kSpecVersion);
  fixture.open_database().exec("UPDATE store SET spec_version = 99");
  const Refusal refused = refusal(path);
  CHECK(refused.code == 78);
  CHECK(refused.says == path + " has specs of a newer taskd (version 99; this one knows up to " +
                            std::to_string(kSpecVersion) +
                            "). Install that taskd again, or restore a backup.");
  fixture.open_database().exec("UPDATE store SET spec_version = 0");
  fixture.start();
  CHECK(fixture.claim().task == id);
  CHECK(fixture.open_database().execAndGet("SELECT spec_version FROM store").getInt() ==
        kSpecVersion);
}

TEST_CASE("a damaged database is refused with what to do") {
  Fixture fixture;
  fixture.submit();
  fixture.store.reset();
  const std::string path = fixture.dir / "taskd.db";
  SUBCASE("its pages are overwritten") {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(20 * 4096, '\x55');
  }
  SUBCASE("its schema page is overwritten") {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file << std::string(3996, '\x55');
  }
  SUBCASE("its end is cut off") {
    REQUIRE(::truncate(path.c_str(), 2 * 4096) == 0);
  }
  SUBCASE("a table is gone") {
    fixture.open_database().exec("DROP TABLE store");
  }
  const Refusal refused = refusal(path);
  CHECK(refused.code == 65);
  CHECK(refused.says.find("Restore a backup") != std::string::npos);
}

TEST_CASE("what cannot be written is refused") {
  const TempDir dir;
  CHECK(refusal(dir / "missing/taskd.db").code == 73);
  if (::geteuid() == 0) return;  // modes do not stop root
  const std::string path = dir / "taskd.db";
  CHECK(refusal(path).code == 0);
  REQUIRE(::chmod(path.c_str(), 0400) == 0);
  CHECK(refusal(path).code == 73);
  REQUIRE(::chmod(path.c_str(), 0000) == 0);
  CHECK(refusal(path).code == 73);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  REQUIRE(::chmod((dir / "").c_str(), 0500) == 0);
  CHECK(refusal(path).code == 73);
  REQUIRE(::chmod((dir / "").c_str(), 0700) == 0);
}

TEST_CASE("what was acknowledged is there after reopening") {
  Fixture fixture;
  const TaskId waiting = fixture.submit();
  const TaskId ended = fixture.submit(Fixture::task(1));
  fixture.finish(fixture.claim(), OutcomeKind::exited, 4);
  fixture.restart();
  CHECK(fixture.state(waiting) == State::queued);
  CHECK(fixture.state(ended) == State::failed);
  CHECK(fixture.number("SELECT count(*) FROM pragma_foreign_key_check") == 0);
  CHECK(fixture.texts("PRAGMA integrity_check").at(0) == "ok");
}

}  // namespace
}  // namespace taskd
