// Which store a database is, and whether it lies where it belongs.
//
// The database has a random id and an epoch. A small file beside it, the mark, names both and the
// mark's own inode, so it tells a folder that the daemon made from a copy of that folder: a copy of
// the database alone has no mark, a copy of the folder has one with another inode. Device numbers
// are no evidence, since a reboot may change them. Inodes and file handles survive reboots. A
// snapshot of a whole block device cannot be told from the original this way.
//
// The mark also knows how far the history had come when it was written. A database that knows less
// was restored from a backup: it goes on in a new epoch, with ids that were never given out.
//
// Not thread-safe: used while a store is opened, and by whoever closes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "daemon/store/db/connection.h"

namespace taskd {

struct StoreIdentity {
  std::string id;              // 32 hex digits
  std::int64_t epoch = 0;      // 0: never started
  std::int64_t generation = 0;  // starts
  TaskId newest_task = 0;      // the highest id ever given out

  bool operator==(const StoreIdentity&) const = default;
};

// What stays the same for a file whatever is mounted where, and never for a copy of it.
struct FileEvidence {
  std::uint64_t inode = 0;
  std::string handle;  // the kernel's, with the inode's generation; "": the file system has none

  bool operator==(const FileEvidence&) const = default;
};

struct Mark {
  StoreIdentity store;
  FileEvidence self;

  bool operator==(const Mark&) const = default;
};

// What the mark says about the database beside it.
enum class Provenance {
  first_start,  // neither was ever used
  original,
  restored,  // the original, at an earlier moment of its history
  copy,      // of a store that lies elsewhere, or whose mark is lost
};

// `folder_task`: the highest id of a task whose files are there; 0: none. Pure.
Provenance judge(const StoreIdentity& database, const std::optional<Mark>& mark,
               const FileEvidence& found, TaskId folder_task);

std::string mark_path(const std::string& database);

// A mark and where it was found. No mark: the file is missing, or it says nothing that can be used;
// then it cannot be the original's.
struct FoundMark {
  std::optional<Mark> mark;
  FileEvidence self;
};
FoundMark read_mark(const std::string& path);

// Writes the mark in one step and makes it durable. False, and the old one stays, when the disk is
// full. Throws std::system_error for everything else.
bool write_mark(const std::string& path, const StoreIdentity& store);

StoreIdentity read_identity(Connection& db);

}  // namespace taskd
