// The interface between the engine and processes: start an attempt under its shim, find it again
// after a restart, wait for it, stop it, read how it ended. PosixLauncher is the real
// implementation; tests may use a fake. Fresh and adopted attempts are treated the same from here
// on.
//
// A Launcher may be used from any thread. A LiveAttempt belongs to one thread, except stop() and
// functions documented otherwise.
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

// A file that only the job's user may read: in the attempt's folder, created before its start and
// removed when the attempt is cleaned up.
struct JobFile {
  std::string name;      // kDependenciesFile, kPayloadFile
  std::string variable;  // environment variable that holds its path
  // Passes the text to `write`, piece by piece. If it throws std::system_error, the start fails.
  std::function<void(const std::function<void(std::string_view)>& write)> fill;
};
inline constexpr const char* kDependenciesFile = "dependencies";
inline constexpr const char* kPayloadFile = "payload";  // also the stdin of a task with a handler

// What to start. `token` is the fencing token of the committed claim.
struct Launch {
  TaskId task = 0;
  int attempt = 0;
  std::string token;
  std::uint32_t uid = 0;  // run as this user
  TaskSpec spec;
  std::string secret = {};  // the token is its digest; only the command knows it
  // The attempt does not start unless these users still have their uids. Ignores the daemon's own
  // uid.
  std::vector<KnownUser> users = {};
  std::map<std::string, std::string> extra_env = {};  // variables for this attempt; they override
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

// An attempt whose shim is alive, or that may have left live processes.
class LiveAttempt {
 public:
  virtual ~LiveAttempt() = default;
  // Becomes readable when the shim has ended. Open for this object's lifetime.
  virtual int pidfd() const = 0;
  // Asks the shim to stop all processes: TERM, grace, KILL. May be repeated, from any thread, and
  // after the end (then it does nothing).
  virtual void stop() = 0;
  // Like stop(), but the end counts as timed_out: the job did not report its progress in time.
  virtual void stop_stalled() = 0;
  // Continues a shim that a signal stopped, so that it notices its time limit. stop() and the
  // others do so, too.
  virtual void wake() = 0;
  // Sends the signal to the command's process group; 0 only checks, as in kill(2). Returns false if
  // there is no command (any more), or if it cannot be reached, which is logged. From any thread.
  virtual bool signal(int number) = 0;
  // Call once pidfd() is readable. Reads the status. If the shim died without a readable one, kills
  // the remaining processes, waits until they are gone and returns `lost`. Throws std::system_error
  // if the end cannot be determined yet: call again later.
  virtual AttemptEnd reap() = 0;
};

// Whether the failure may be temporary: the machine was out of descriptors or memory.
bool is_shortage(const std::system_error& error);

class Launcher {
 public:
  virtual ~Launcher() = default;

  // Starts the attempt. On failure nothing runs, nothing is left to clean up, and the result is an
  // AttemptEnd: spawn_failed if the task asks for something that does not exist (such as its user),
  // not_started with an errno if the machine refused (no memory, no shim, the attempt's lock held).
  virtual std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> launch(const Launch& launch) = 0;

  // After a restart, for an attempt that the store lists as running. Returns its end if that is
  // known at once (recorded, from an earlier boot, or the command never began), or else the attempt
  // to adopt: a live one, or one that lost its shim, whose reap() kills the remaining processes and
  // waits for them. Does not wait for processes itself. Within the boot named by `boot_id` only
  // evidence from the kernel decides, never time. Anything wrong with the attempt's folder ends
  // that attempt, with that as its reason. Throws only if is_shortage().
  virtual std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> recover(
      const Launch& launch, const std::string& boot_id) = 0;

  // Removes the lock file, and the attempt's folder if it holds no output. Call once the end is
  // committed; but call it before that for not_started, because another worker may then start the
  // same number again. Errors are logged; leftovers are removed with the task.
  virtual void cleanup_attempt(TaskId task, int attempt) = 0;

  // Removes all attempt folders of a task that is being deleted. Missing ones are ignored. Returns
  // how many bytes they took on disk.
  virtual std::int64_t remove_task(TaskId task, int attempts) = 0;

  // For finding folders that belong to no task: the groups of folders, and one group. Unreadable
  // folders are logged and count as empty.
  virtual std::vector<std::int64_t> folder_groups() = 0;
  virtual FolderGroup list_group(std::int64_t group) = 0;
  // Removes the attempt's folder. A missing one is ignored; errors are logged. Returns the bytes it
  // took.
  virtual std::int64_t remove_attempt(const AttemptId& attempt) = 0;
};

}  // namespace taskd
