// An attempt's folder on disk: <attempts>/<task / 1000>/<task>.<number>/ with `lock` (which the
// status is added to), the output and, for a job of the daemon's own user, the files that it is
// given (job_files.h). Nobody but the daemon's user comes into it. No path is ever followed through
// a link.
//
// A job of the daemon's own user may put anything there: what is no file of ours in the place of
// one is an error, and never read, written or waited for (shim/open_file.h).
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

// The store whose attempts these are; see store/db/identity.h.
struct AttemptStore {
  std::string id = "-";
  std::int64_t epoch = 0;
  // This is where the store was before. Else an attempt whose folder says nothing may be another
  // store's.
  bool is_verified = true;

  bool operator==(const AttemptStore&) const = default;
};

// Which attempt a lock file was made for, and as which file: a copy of it lies elsewhere.
struct LockOrigin {
  std::string store;
  std::int64_t epoch = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::string token;
};

// What the lock file tells; see shim/protocol.h.
struct LockRecord {
  std::optional<LockOrigin> origin;  // nothing: it is none of ours
  bool is_copy = false;              // of the file that its origin names
  pid_t shim = 0;                    // 0 = not written yet
  bool started = false;              // and takes order_signal()
  pid_t session = 0;                // of the command; 0 = not written yet
  std::uint64_t session_start = 0;  // of the process that leads it, in ticks since the boot
  bool planned_stop = false;        // somebody outside told the shim to stop

  // Proof, within its boot, that the command of this attempt never began.
  bool proves_no_start(const AttemptStore& store, const std::string& token) const;
  // Whether processes with the attempt's token are this store's to end.
  bool may_end_leftovers(const AttemptStore& store) const;
};

// The folder, or an empty descriptor when there is none.
UniqueFd open_attempt_folder(int attempts_fd, TaskId task, int number);
// Makes the folder where it does not exist yet. `was_there`: it may hold something.
struct MadeFolder {
  UniqueFd fd;
  bool was_there = false;
};
MadeFolder make_attempt_folder(int attempts_fd, TaskId task, int number);
// Takes the lock for an attempt that is about to start, and writes its origin. The folder is empty
// but for the lock then: what an earlier start of the attempt left there is removed, and so is what
// an attempt of this number left in a history that a restored backup took back. EBUSY: the shim of
// such a one is alive.
UniqueFd lock_attempt(const MadeFolder& folder, const AttemptStore& store,
                      const std::string& token);

// The lock file for asking who holds it; empty when there is none.
UniqueFd open_lock(int folder_fd);
// Whether somebody holds the lock. If not, `lock_fd` has a shared one from now on.
bool is_locked_by_other(int lock_fd);
// Waits until nobody does. False when somebody still does after `timeout`.
bool wait_for_lock(int lock_fd, std::chrono::milliseconds timeout);
// A missing lock file reads as an empty one.
LockRecord read_lock_record(int folder_fd);

struct Status {
  AttemptEnd end;      // without the output's tail and the result
  std::string result;  // the word for it, as in shim/protocol.h
};

// The recorded end. Nothing when there is none, or one that is damaged or speaks of something else.
std::optional<Status> read_status(int folder_fd, const AttemptKey& key);

// Removes all but the output, whatever the job made there, and the folder if that leaves it empty.
void cleanup_attempt_folder(int attempts_fd, TaskId task, int number);
// Removes the folder and all in it, and the folder of its thousand if that leaves it empty. Returns
// how much room its files took on the disk, in bytes.
std::int64_t remove_attempt_folder(int attempts_fd, TaskId task, int number);

}  // namespace taskd
