// The seam between the engine and processes: start an attempt under its shim, find one again after
// a restart, wait for it, stop it, read how it ended. PosixLauncher is the real one; tests may have
// a fake. Fresh and adopted attempts are the same from here on.
//
// A Launcher may be used from any thread; one LiveAttempt belongs to one thread, but for stop()
// and what stands beside it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

#include "daemon/task/run_as.h"

namespace taskd {

// A file that the job may read, and no other user: in the attempt's folder, made before its start
// and removed when the attempt is cleaned up.
struct JobFile {
  std::string name;      // kDependenciesFile, kPayloadFile
  std::string variable;  // of the environment, which has its path
  // Hands its text to `write`, piece by piece. A std::system_error makes the start a failed one.
  std::function<void(const std::function<void(std::string_view)>& write)> fill;
};
inline constexpr const char* kDependenciesFile = "dependencies";
inline constexpr const char* kPayloadFile = "payload";  // also the stdin of a task with a handler

// What to start. `token` is the fencing token of the claim that is already committed.
struct Launch {
  TaskId task = 0;
  int attempt = 0;
  std::string token;
  std::uint32_t uid = 0;  // run as this user
  TaskSpec spec;
  std::string secret = {};  // whose digest the token is; the command has it, and nobody else
  // Users who must still be who they were, or it does not start. Not looked at for the daemon's
  // own uid.
  std::vector<KnownUser> users = {};
  std::map<std::string, std::string> extra_env = {};  // what this attempt is told besides; wins
  std::vector<JobFile> files = {};
};

struct AttemptId {
  TaskId task = 0;
  int attempt = 0;
};

// The attempts with a folder whose tasks have the ids [first, last].
struct FolderGroup {
  TaskId first = 0;
  TaskId last = 0;
  std::vector<AttemptId> attempts;
};

// An attempt whose shim is alive, or that may have left something behind which is.
class LiveAttempt {
 public:
  virtual ~LiveAttempt() = default;
  // Becomes readable when the shim has ended. Stays open for this object's life.
  virtual int pidfd() const = 0;
  // Asks the shim to stop the whole tree: TERM, grace, KILL. Safe to repeat, from any thread, and
  // after the end (then it does nothing).
  virtual void stop() = 0;
  // The same, but the end counts as timed_out: it did not report its progress in time.
  virtual void stop_stalled() = 0;
  // Continues a shim that a signal stopped, so that it sees that the time limit is over. The orders
  // do so, too.
  virtual void wake() = 0;
  // Sends the signal to the process group of the command; 0 only asks, as in kill(2). False: there
  // is no command to get it (any more), or it cannot be reached, which is logged. From any thread.
  virtual bool signal(int number) = 0;
  // Call once pidfd() is readable. Reads the status; where the shim died without one, or what it
  // left cannot be read, kills what is left of the tree, waits until it is empty and returns
  // `lost`. Throws std::system_error when the end cannot be told yet: call again later.
  virtual AttemptEnd reap() = 0;
};

// Whether what failed may work a moment later: the machine was out of descriptors or memory.
bool is_shortage(const std::system_error& error);

class Launcher {
 public:
  virtual ~Launcher() = default;

  // Starts the attempt. On failure nothing runs and an AttemptEnd comes back: spawn_failed for what
  // the task asks for and cannot have (no such user), not_started with an errno for whatever the
  // machine refused (no room, no shim, the attempt's lock held); then nothing is left to clean up.
  virtual std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> launch(const Launch& launch) = 0;

  // After a restart, for an attempt the store says is running: its end where it is known at once
  // (recorded; or of an earlier boot; or the command never began), else the attempt to adopt: a
  // live one, or what a lost one left, which its reap() kills and waits for. Waits for no process
  // itself. Within the boot named by `boot_id` only kernel evidence decides, never time. Whatever
  // is wrong with the attempt's folder is that attempt's end, and its reason. Throws only what
  // is_shortage().
  virtual std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> recover(
      const Launch& launch, const std::string& boot_id) = 0;

  // Removes the lock file, and the attempt's folder when it holds no output. Call once the end is
  // committed; but before that for a not_started, whose number another worker may start again from
  // then on. Errors are logged; a leftover is removed with the task.
  virtual void cleanup_attempt(TaskId task, int attempt) = 0;

  // Removes all attempts' folders of a task that is being deleted. Missing ones are fine. Returns
  // how much room they took, in bytes.
  virtual std::int64_t remove_task(TaskId task, int attempts) = 0;

  // For finding folders that belong to no task: the groups they lie in, and one of these. What
  // cannot be read is logged and taken for empty.
  virtual std::vector<std::int64_t> folder_groups() = 0;
  virtual FolderGroup list_group(std::int64_t group) = 0;
  // Removes the attempt's folder. A missing one is fine; errors are logged. The same.
  virtual std::int64_t remove_attempt(const AttemptId& attempt) = 0;
};

}  // namespace taskd
