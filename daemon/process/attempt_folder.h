// An attempt's folder on disk: <attempts>/<task / 1000>/<task>.<number>/ with `lock` (to which the
// status is appended), the output and, for a job of the daemon's own user, the job's input files
// (job_files.h). Only the daemon's user can enter it. Symbolic links are never followed.
//
// A job of the daemon's own user may create anything there. If something else stands in the place
// of one of our files, that is an error; it is never read, written or waited for
// (shim/open_file.h).
//
// All functions throw std::system_error; "missing" is never an error. Thread-safe for different
// attempts.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/base/unique_fd.h"
#include "daemon/task/task.h"

namespace taskd {

inline constexpr TaskId kTasksPerFolder = 1000;
inline constexpr const char* kOwnerLink = "owner";  // see job_folder.h

// The store that owns the attempts; see store/db/identity.h.
struct AttemptStore {
  std::string id = "-";
  std::int64_t epoch = 0;
  // The store was at this place before. If not, an attempt with an empty folder may belong to
  // another store.
  bool is_verified = true;

  bool operator==(const AttemptStore&) const = default;
};

// The attempt for which a lock file was created, and the file's identity, which exposes copies.
struct LockOrigin {
  std::string store;
  std::int64_t epoch = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::string token;
};

// The contents of the lock file; see shim/protocol.h.
struct LockRecord {
  std::optional<LockOrigin> origin;  // nothing: not one of our files
  bool is_copy = false;              // a copy of the file named in `origin`
  pid_t shim = 0;                    // 0 = not written yet
  bool started = false;              // and accepts order_signal()
  pid_t session = 0;                 // of the command; 0 = not written yet
  std::uint64_t session_start = 0;   // start time of its leader, in ticks since boot
  bool planned_stop = false;         // something outside told the shim to stop

  // Proves, within its boot, that this attempt's command never began.
  bool proves_no_start(const AttemptStore& store, const std::string& token) const;
  // Whether this store may end processes with the attempt's token.
  bool may_end_leftovers(const AttemptStore& store) const;
};

// Opens the folder; returns an empty descriptor if it does not exist.
UniqueFd open_attempt_folder(int attempts_fd, TaskId task, int number);
// Creates the folder if it is missing. `was_there`: it may hold something.
struct MadeFolder {
  UniqueFd fd;
  bool was_there = false;
};
MadeFolder make_attempt_folder(int attempts_fd, TaskId task, int number);
// Takes the lock for an attempt that is about to start, and writes its origin. Afterwards the
// folder contains only the lock: leftovers are removed, from an earlier start of the attempt or
// from an attempt of this number in a history that a restored backup discarded. EBUSY: the shim of
// such an attempt is alive.
UniqueFd lock_attempt(const MadeFolder& folder, const AttemptStore& store,
                      const std::string& token);

// Opens the lock file to check who holds it; empty if there is none.
UniqueFd open_lock(int folder_fd);
// Whether somebody holds the lock. If not, `lock_fd` now holds a shared one.
bool is_locked_by_other(int lock_fd);
// Waits until nobody holds the lock. Returns false if somebody still does after `timeout`.
bool wait_for_lock(int lock_fd, std::chrono::milliseconds timeout);
// A missing lock file reads as an empty one.
LockRecord read_lock_record(int folder_fd);

struct Status {
  AttemptEnd end;      // without the output's tail and the result
  std::string result;  // its word, as in shim/protocol.h
};

// The recorded end. Nothing if it is missing, damaged or about another attempt.
std::optional<Status> read_status(int folder_fd, const AttemptKey& key);

// Removes everything but the output, including whatever the job created, and the folder if it is
// then empty.
void cleanup_attempt_folder(int attempts_fd, TaskId task, int number);
// Removes the folder with its contents, and its parent folder if that is then empty. Returns how
// many bytes its files took on disk.
std::int64_t remove_attempt_folder(int attempts_fd, TaskId task, int number);

}  // namespace taskd
