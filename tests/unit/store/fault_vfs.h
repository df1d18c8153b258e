// A disk that fails on demand: while one lives, files opened by SQLite go through it. Only what
// SQLite itself writes is touched. One at a time, with no database open before or after its life.
#pragma once

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <atomic>
#include <map>
#include <mutex>

namespace taskd {

class FaultVfs {
 public:
  FaultVfs() {
    real = sqlite3_vfs_find(nullptr);
    vfs_ = *real;
    vfs_.zName = "taskd-fault";
    vfs_.xOpen = open;
    REQUIRE(sqlite3_vfs_register(&vfs_, 1) == SQLITE_OK);
    fail_sync = false;
    full = false;
  }
  ~FaultVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real, 1);
  }
  FaultVfs(const FaultVfs&) = delete;

  static inline std::atomic<bool> fail_sync{false};  // fsync says EIO
  static inline std::atomic<bool> full{false};       // writes say ENOSPC

 private:
  // SQLite has one table of methods for the database and one for the files beside it.
  struct Patched {
    sqlite3_io_methods methods;
    const sqlite3_io_methods* real;
  };
  static const sqlite3_io_methods* patch(const sqlite3_io_methods* original) {
    static std::mutex mutex;
    static std::map<const sqlite3_io_methods*, Patched> all;
    const std::lock_guard lock(mutex);
    const auto [it, added] = all.try_emplace(original, Patched{*original, original});
    it->second.methods.xSync = sync;
    it->second.methods.xWrite = write;
    return &it->second.methods;
  }
  static const sqlite3_io_methods& methods_of(sqlite3_file* file) {
    return *reinterpret_cast<const Patched*>(file->pMethods)->real;
  }

  static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    const int result = real->xOpen(real, name, file, flags, out);
    if (result == SQLITE_OK) file->pMethods = patch(file->pMethods);
    return result;
  }
  static int sync(sqlite3_file* file, int flags) {
    return fail_sync ? SQLITE_IOERR_FSYNC : methods_of(file).xSync(file, flags);
  }
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    return full ? SQLITE_FULL : methods_of(file).xWrite(file, data, size, offset);
  }

  static inline sqlite3_vfs* real = nullptr;
  sqlite3_vfs vfs_{};
};

}  // namespace taskd
