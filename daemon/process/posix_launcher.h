// The real Launcher: one taskd-shim per attempt, found again by its lock file.
//
// Thread-safe. Requires that the process ignores SIGPIPE (a shim may die while reading its spec)
// and does not ignore SIGCHLD (see fork_server.h).
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
  std::string attempts_dir;  // created if missing
  // Created if missing; for the files of other users' jobs (job_folder.h)
  std::string jobs_dir;
  std::string shim_path;
  std::string boot_id;
  std::string socket;                          // TASKD_SOCKET of the jobs; "" = unset
  std::int64_t output_cap_bytes = 64LL << 20;  // per stream; at least 4 KiB is kept
  // A writable cgroup v2 folder, or "". Shims start in its `shims`, outside the daemon's own
  // cgroup, so that they survive a restart of the service; each command lives in
  // `tasks/<task>.<attempt>`. The fork server, which ends with the daemon, stays in the daemon's
  // cgroup.
  std::string cgroup_root;
  // The jobs' limit of open files: the one that the daemon was started with; nothing = the current
  // one.
  std::optional<rlimit> open_files = std::nullopt;
  AttemptStore store = {};  // the store that owns the attempts
};

class PosixLauncher final : public Launcher {
 public:
  // Throws std::system_error if the folders cannot be created.
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
  // recover(), but throws every error.
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
  // Empty if the daemon cannot start jobs of other users.
  UniqueFd jobs_;
  const std::shared_ptr<ForkServer> server_;  // shared with its attempts
};

}  // namespace taskd
