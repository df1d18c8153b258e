// The real Launcher: one taskd-shim per attempt, found again by its lock file.
//
// Thread-safe. Requires of its process: SIGPIPE is ignored (a shim may die while it is told what to
// run) and SIGCHLD is not (see fork_server.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/base/unique_fd.h"
#include "daemon/process/attempt_folder.h"
#include "daemon/process/fork_server.h"
#include "daemon/process/launch_spec.h"
#include "daemon/process/launcher.h"

namespace taskd {

struct PosixLauncherConfig {
  std::string attempts_dir;  // made if it is missing
  std::string jobs_dir;      // the same; for the files of other users' jobs (job_folder.h)
  std::string shim_path;
  std::string boot_id;
  std::string socket;                          // TASKD_SOCKET of the jobs; "" = unset
  std::int64_t output_cap_bytes = 64LL << 20;  // of each stream; at least 4 KiB is kept
  // A cgroup v2 folder this process may write, or "". Shims are born in its `shims`, outside of the
  // daemon's own cgroup so that a restart of the service spares them; each command lives in
  // `tasks/<task>.<attempt>`. The fork server, which ends with the daemon, stays with the daemon.
  std::string cgroup_root;
  // The limit of open files that the daemon was given, for its jobs; nothing: as it is now.
  std::optional<rlimit> open_files = std::nullopt;
  AttemptStore store = {};  // whose attempts they are
};

class PosixLauncher final : public Launcher {
 public:
  // Throws std::system_error when the folders cannot be made.
  explicit PosixLauncher(PosixLauncherConfig config);

  std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> launch(const Launch& launch) override;
  std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> recover(
      const Launch& launch, const std::string& boot_id) override;
  void cleanup_attempt(TaskId task, int attempt) override;
  std::int64_t remove_task(TaskId task, int attempts) override;
  std::vector<std::int64_t> folder_groups() override;
  FolderGroup list_group(std::int64_t group) override;
  std::int64_t remove_attempt(const AttemptId& attempt) override;

 private:
  std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> start(const Launch& launch,
                                                               const User& user);
  // recover(), with every error thrown.
  std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> look_at(const Launch& launch,
                                                                 const std::string& boot_id);
  void abandon(const Launch& launch, int folder_fd);
  void remove_job_files(TaskId task, int attempt);
  bool is_of_another_store(int folder_fd) const;
  bool is_alive(const AttemptId& attempt) const;
  std::string cgroup_of(TaskId task, int attempt) const;
  void make_cgroup(const std::string& path) const;

  const PosixLauncherConfig config_;
  const bool shielded_from_oom_;
  UniqueFd attempts_;
  UniqueFd jobs_;                             // empty when the daemon can start none
  const std::shared_ptr<ForkServer> server_;  // its attempts ask it, as long as it is there
};

}  // namespace taskd
