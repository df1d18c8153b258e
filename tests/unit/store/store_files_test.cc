// The table of file systems, and the table of errors.
#include "daemon/store/db/files.h"

#include <doctest/doctest.h>
#include <linux/magic.h>
#include <sqlite3.h>

#include "daemon/store/db/errors.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

TEST_CASE("file systems of a network are known by their magic, local ones are taken") {
  for (const long magic : {long{NFS_SUPER_MAGIC}, long{SMB_SUPER_MAGIC}, long{CIFS_SUPER_MAGIC},
                           long{SMB2_SUPER_MAGIC}, long{FUSE_SUPER_MAGIC}, long{V9FS_MAGIC},
                           long{CEPH_SUPER_MAGIC}, long{AFS_SUPER_MAGIC}, long{CODA_SUPER_MAGIC}}) {
    CAPTURE(magic);
    CHECK_FALSE(unsafe_filesystem(magic).empty());
    CHECK_FALSE(unsafe_filesystem(static_cast<int>(magic)).empty());  // as 32-bit kernels say it
  }
  for (const long magic :
       {long{EXT4_SUPER_MAGIC}, long{XFS_SUPER_MAGIC}, long{BTRFS_SUPER_MAGIC}, long{TMPFS_MAGIC},
        long{OVERLAYFS_SUPER_MAGIC}, long{F2FS_SUPER_MAGIC}, 0x2fc12fc1L /* ZFS */, 0L}) {
    CAPTURE(magic);
    CHECK(unsafe_filesystem(magic).empty());
  }
}

TEST_CASE("which errors of the store wait, which fail one command and which stop the daemon") {
  struct Row {
    int code;
    Failure means;
  };
  for (const Row& row : std::initializer_list<Row>{
           {SQLITE_FULL, Failure::no_space},       {SQLITE_IOERR_SHMSIZE, Failure::no_space},
           {SQLITE_BUSY, Failure::busy},           {SQLITE_BUSY_RECOVERY, Failure::busy},
           {SQLITE_BUSY_SNAPSHOT, Failure::busy},  {SQLITE_LOCKED, Failure::busy},
           {SQLITE_PROTOCOL, Failure::busy},       {SQLITE_CANTOPEN, Failure::busy},
           {SQLITE_NOMEM, Failure::busy},          {SQLITE_IOERR, Failure::fatal},
           {SQLITE_IOERR_WRITE, Failure::fatal},   {SQLITE_IOERR_FSYNC, Failure::fatal},
           {SQLITE_IOERR_READ, Failure::fatal},    {SQLITE_CORRUPT, Failure::fatal},
           {SQLITE_CORRUPT_INDEX, Failure::fatal}, {SQLITE_NOTADB, Failure::fatal},
           {SQLITE_READONLY, Failure::fatal},      {SQLITE_READONLY_DBMOVED, Failure::fatal},
           {SQLITE_CONSTRAINT, Failure::command},  {SQLITE_CONSTRAINT_CHECK, Failure::command},
           {SQLITE_TOOBIG, Failure::command},      {SQLITE_ERROR, Failure::command},
           {SQLITE_INTERRUPT, Failure::command},
       }) {
    CAPTURE(row.code);
    CHECK(failure_of(row.code, false) == row.means);
  }
  CHECK(failure_of(SQLITE_IOERR_WRITE, /*over_quota=*/true) == Failure::no_space);
}

TEST_CASE_FIXTURE(Fixture, "another program's lock refuses for a while and stops nothing") {
  submit();
  const Claim claimed = claim();
  SQLite::Database other = open_database();
  other.exec("BEGIN IMMEDIATE");
  CHECK_THROWS_AS(submit(), StoreBusy);
  CHECK_THROWS_AS(finish(claimed), StoreBusy);
  CHECK(state(claimed.task) == State::running);
  other.exec("COMMIT");
  CHECK(finish(claimed));
  CHECK(state(claimed.task) == State::succeeded);
  CHECK(fatal.empty());
}

TEST_CASE_FIXTURE(Fixture, "damage is found by looking, without stopping anything") {
  for (int i = 0; i < 50; ++i) submit();
  const auto never = [] { return false; };
  CHECK(store->find_damage(true, never).empty());
  CHECK(store->find_damage(false, never).empty());
  // An index that knows a row too many.
  const std::string root =
      open_database()
          .execAndGet("SELECT rootpage FROM sqlite_schema WHERE name = 'tasks_of_user'")
          .getString();
  open_database().exec(
      "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'tasks_of_user'");
  open_database().exec("DELETE FROM tasks WHERE id = 7");
  open_database().exec(
      "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('index', 'tasks_of_user',"
      " 'tasks', " +
      root + ", 'CREATE INDEX tasks_of_user ON tasks (uid)')");
  CHECK_FALSE(store->find_damage(true, never).empty());
  CHECK(store->find_damage(true, [] { return true; }).empty());  // it ended at once
  CHECK(fatal.empty());
}

}  // namespace
}  // namespace taskd
