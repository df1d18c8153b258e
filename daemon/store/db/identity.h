// Which store a database belongs to, and whether it lies where it belongs.
//
// The database has a random id and an epoch. A small file beside it, the mark, records both and the
// mark's own inode. That distinguishes a folder that the daemon created from a copy: a copy of the
// database alone has no mark, a copy of the folder has a mark with another inode. Device numbers
// are not used, since a reboot may change them; inodes and file handles survive reboots. A snapshot
// of a whole block device cannot be told from the original.
//
// The mark also records how far the history had come. A database that is behind its mark was
// restored from a backup: it continues in a new epoch, with ids that were never used.
//
// Not thread-safe: used while a store is opened, and by the thread that closes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "daemon/store/db/connection.h"

namespace taskd {

struct StoreIdentity {
  std::string id;               // 32 hex digits
  std::int64_t epoch = 0;       // 0 = never started
  std::int64_t generation = 0;  // number of starts
  TaskId newest_task = 0;       // the highest id ever assigned

  bool operator==(const StoreIdentity&) const = default;
};

// What identifies a file across mounts and reboots, and differs for every copy.
struct FileEvidence {
  std::uint64_t inode = 0;
  // From the kernel, including the inode's generation; "" = the file system has none
  std::string handle;

  bool operator==(const FileEvidence&) const = default;
};

struct Mark {
  StoreIdentity store;
  FileEvidence self;

  bool operator==(const Mark&) const = default;
};

// What the mark says about the database beside it.
enum class Provenance {
  first_start,  // database and mark are both new
  original,
  restored,  // the original, at an earlier point in its history
  copy,      // of a store that lies elsewhere, or whose mark is lost
};

// `folder_task`: the highest task id with files in the folder; 0 = none. Pure.
Provenance judge(const StoreIdentity& database, const std::optional<Mark>& mark,
                 const FileEvidence& found, TaskId folder_task);

std::string mark_path(const std::string& database);

// A mark and where it was found. No mark if the file is missing or unreadable; then it cannot be
// the original's.
struct FoundMark {
  std::optional<Mark> mark;
  FileEvidence self;
};
FoundMark read_mark(const std::string& path);

// Replaces the mark atomically and durably. Returns false, leaving the old mark, when the disk is
// full. Throws std::system_error for other errors.
bool write_mark(const std::string& path, const StoreIdentity& store);

StoreIdentity read_identity(Connection& db);

}  // namespace taskd
