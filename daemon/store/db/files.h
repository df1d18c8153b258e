// The files of a store: the database, its -wal and -shm, the ballast and the mark. Checks who may
// open them, and whether they still exist.
//
// StoreFiles is used by one thread at a time: the one that opens the store, then the writer.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/task/task.h"

namespace taskd {

// Call before opening the database. Ensures that only the owner may open the files. Throws
// UsageError: 65 for a symbolic link, a file with a second hard link, or anything but a regular
// file; 78 for a file of another user; 73 when a mode cannot be changed.
void secure_store_files(const std::string& database);

// Throws UsageError (65) if the database is missing or empty although parts of the store remain: a
// -wal, the mark, or files of attempts (`folder_task`, an id; 0 = none). Changes nothing.
void refuse_lost_database(const std::string& database, TaskId folder_task);
// The same for a database that exists but is new, as `why` explains.
void refuse_new_database(const std::string& database, TaskId folder_task, const std::string& why);

// Why SQLite cannot keep a database on a file system with this statfs() magic: network file systems
// lack the locks and shared memory that it needs. "" if it can. Pure.
std::string_view unsafe_filesystem(long magic);
// Throws UsageError (78) if `path`, or its nearest existing parent, lies on such a file system.
void refuse_unsafe_filesystem(const std::string& path);

// Whether a non-empty -wal exists, so the store was not closed.
bool has_wal(const std::string& database);
std::int64_t size_of(const std::string& path);  // in bytes; 0 = missing

class StoreFiles {
 public:
  // Requires an open database whose -wal exists.
  explicit StoreFiles(const std::string& database);

  // Why current writes would be lost: a file or its folder was removed or replaced. "" while all is
  // well.
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
