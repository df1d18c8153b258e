// The files of a store: the database, its -wal and -shm, the ballast and the mark. Who may open
// them, and whether they are still there.
//
// StoreFiles is used by one thread at a time: whoever opens the store, then the writer.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/task/task.h"

namespace taskd {

// Before the database is opened. Nobody but its owner may open any of the files, however they were
// put there. Throws UsageError: 65 for one that is a link, has another name or is no file, 78 for a file of
// another user, 73 when a mode cannot be changed.
void secure_store_files(const std::string& database);

// Throws UsageError (65) where the database is missing or empty although something of it is left: a
// -wal, the mark, or files of attempts (`folder_task`, an id; 0: none). Changes nothing.
void refuse_lost_database(const std::string& database, TaskId folder_task);
// The same for a database that is there and new, for the reason `why`.
void refuse_new_database(const std::string& database, TaskId folder_task, const std::string& why);

// Why SQLite cannot keep a database on a file system with this statfs() magic: it needs locks and
// shared memory that a network's file systems do not give. "" where it can. Pure.
std::string_view unsafe_filesystem(long magic);
// Throws UsageError (78) where the nearest folder above `path` that exists, or `path` itself, lies
// on such a file system.
void refuse_unsafe_filesystem(const std::string& path);

// Whether there is a -wal with something in it: the store was not closed.
bool has_wal(const std::string& database);
std::int64_t size_of(const std::string& path);  // in bytes; 0: missing

class StoreFiles {
 public:
  // The database is open, and its -wal was made.
  explicit StoreFiles(const std::string& database);

  // Why what is written now would be lost: a file or its folder was removed, or something else
  // stands in its place. "" while all is well.
  std::string what_is_lost() const;

 private:
  struct Place {
    std::string path;
    dev_t device = 0;
    ino_t inode = 0;
  };
  static Place place_of(const std::string& path);
  static bool is_in_place(const Place& place);

  const Place database_;
  const Place wal_;
};

}  // namespace taskd
