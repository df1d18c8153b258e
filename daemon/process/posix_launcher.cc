#include "daemon/process/posix_launcher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/process/attempt_folder.h"
#include "daemon/process/attempt_list.h"
#include "daemon/process/job_files.h"
#include "daemon/process/job_folder.h"
#include "daemon/process/leftovers.h"
#include "daemon/process/output.h"
#include "daemon/process/posix_attempt.h"
#include "daemon/process/shim/protocol.h"

namespace taskd {
namespace {

constexpr std::int64_t kMinOutputCapBytes = 4096;
constexpr std::chrono::seconds kLeavingTimeout{5};

using LaunchResult = std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd>;

PosixLauncherConfig checked(PosixLauncherConfig config) {
  config.output_cap_bytes = std::max(config.output_cap_bytes, kMinOutputCapBytes);
  return config;
}

// Whether the daemon was given a score that its jobs should not have.
bool is_shielded_from_oom() {
  auto score = read_file("/proc/self/oom_score_adj", 16);
  return score && score->starts_with('-');
}

AttemptKey key_of(const Launch& launch) {
  return {launch.task, launch.attempt, launch.token};
}

void write_whole(int fd, const std::string& text, const char* what) {
  const ssize_t n = ::write(fd, text.data(), text.size());
  if (n == static_cast<ssize_t>(text.size())) return;
  if (n >= 0) errno = ENOSPC;
  throw_errno(what);
}

// Before the launch pipe opens, so that whoever finds the lock held by a shim that may start
// something also finds the shim.
void record_shim(pid_t pid, int lock_fd) {
  write_whole(lock_fd, std::string(shim::kShimMark) + std::to_string(pid) + "\n",
              "write the attempt's lock");
}

// Makes what is missing in the cgroup root and returns the folder the shims are born in.
UniqueFd open_shims_cgroup(const std::string& root) {
  if (root.empty()) return UniqueFd();
  const std::string path = root + "/shims";
  make_dirs(path, 0755);
  make_dirs(root + "/tasks", 0755);
  UniqueFd shims(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!shims) throw_errno("open " + path);
  return shims;
}

// With this mode, whatever the umask is or somebody made of it.
UniqueFd make_folder(const std::string& path, mode_t mode) {
  make_dirs(path, mode);
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (!folder || ::fstat(folder.get(), &info) != 0) throw_errno("open " + path);
  if ((info.st_mode & 07777) != mode && ::fchmod(folder.get(), mode) != 0) {
    throw_errno("change the mode of " + path);
  }
  return folder;
}

// Cleaning up failed: nobody waits for it, and the next cleaner gets another chance.
void log_leftover(TaskId task, int attempt, const std::system_error& e) {
  log::warn("cannot clean up after an attempt",
            {{"task", task}, {"attempt", attempt}, {"error", e.what()}});
}

void log_unreadable(const std::system_error& e) {
  log::warn("cannot look for folders of removed tasks", {{"error", e.what()}});
}

}  // namespace

PosixLauncher::PosixLauncher(PosixLauncherConfig config)
    : config_(checked(std::move(config))),
      shielded_from_oom_(is_shielded_from_oom()),
      server_(std::make_shared<ForkServer>(
          config_.shim_path, open_shims_cgroup(config_.cgroup_root), config_.open_files)) {
  attempts_ = make_folder(config_.attempts_dir, 0700);
  if (::geteuid() == 0) jobs_ = make_folder(config_.jobs_dir, 0711);
}

LaunchResult PosixLauncher::launch(const Launch& launch) {
  const auto refuse = [&](const std::string& why) {
    // No folder is made for it, so what lies in its place is of another history.
    remove_attempt({launch.task, launch.attempt});
    return unrecorded_end(OutcomeKind::spawn_failed, 0, why);
  };
  try {
    const bool is_other = launch.uid != ::geteuid();
    if (is_other && ::geteuid() != 0)
      return refuse("only a daemon of root runs anything as another user than its own");
    for (const KnownUser& known : launch.users) {
      if (const auto why = why_not_the_same(known)) return refuse(*why);
    }
    const std::optional<User> user = find_user(launch.uid, is_other);
    if (!user) return refuse(user_is_gone({launch.uid, "", false}));
    return start(launch, *user);
  } catch (const std::system_error& e) {
    return unrecorded_end(OutcomeKind::not_started, e.code().value(), e.what());
  }
}

LaunchResult PosixLauncher::start(const Launch& launch, const User& user) {
  const std::string cgroup = cgroup_of(launch.task, launch.attempt);
  const bool switch_user = user.uid != ::geteuid();
  const LaunchSettings settings{
      .boot_id = config_.boot_id,
      .socket = config_.socket,
      .folder = switch_user ? config_.jobs_dir + "/" +
                                  job_folder_name(user.uid, launch.task, launch.attempt)
                            : attempt_dir(config_.attempts_dir, launch.task, launch.attempt),
      .output_cap_bytes = config_.output_cap_bytes,
      .switch_user = switch_user,
      .reset_oom_score = shielded_from_oom_};
  const EncodedSpec spec = encode_spec(launch, user, settings, cgroup);
  if (spec.error != 0) {
    return unrecorded_end(OutcomeKind::spawn_failed, spec.error,
                          spec.error == E2BIG ? "Command and environment are too large"
                                              : "Command or environment contains a NUL byte");
  }

  MadeFolder made = make_attempt_folder(attempts_.get(), launch.task, launch.attempt);
  // Held before there is a shim, and handed to it: no shim ever lives without it.
  UniqueFd lock = lock_attempt(made, config_.store, launch.token);
  UniqueFd folder = std::move(made.fd);
  try {
    if (!launch.spec.stdin_text.empty()) write_input(folder.get(), launch.spec.stdin_text);
    UniqueFd job_folder;
    if (switch_user) {
      job_folder = make_job_folder(jobs_.get(), folder.get(), user, launch.task, launch.attempt);
    }
    const int files = job_folder ? job_folder.get() : folder.get();
    for (const JobFile& file : launch.files) write_job_file(files, file);
    make_result_pipe(files);
    if (!cgroup.empty()) make_cgroup(cgroup);
    const std::string label = std::to_string(launch.task) + "." + std::to_string(launch.attempt);
    NewShim shim = server_->fork(label, lock.get(), folder.get());
    record_shim(shim.pid, lock.get());
    lock.reset();  // from here on held by the shim alone
    write_spec(shim.launch_pipe.get(), spec.bytes);
    return std::make_unique<PosixAttempt>(key_of(launch), config_.store, std::move(folder),
                                          std::move(shim.pidfd), std::move(shim.launch_pipe),
                                          cgroup, server_, shim.pid);
  } catch (...) {
    lock.reset();
    abandon(launch, folder.get());
    throw;
  }
}

// After a start that failed, its launch pipe closed: the shim, if there is one, is on its way out.
void PosixLauncher::abandon(const Launch& launch, int folder_fd) {
  try {
    const UniqueFd lock = open_lock(folder_fd);
    // A shim that is stopped goes, too, once it is continued; until then the lock is in the way.
    if (lock && !wait_for_lock(lock.get(), kLeavingTimeout)) return;
  } catch (const std::system_error& e) {
    log_leftover(launch.task, launch.attempt, e);
  }
  cleanup_attempt(launch.task, launch.attempt);
}

bool is_shortage(const std::system_error& error) {
  const int code = error.code().value();
  return code == EMFILE || code == ENFILE || code == ENOMEM;
}

LaunchResult PosixLauncher::recover(const Launch& launch, const std::string& boot_id) {
  try {
    return look_at(launch, boot_id);
  } catch (const std::system_error& e) {
    if (is_shortage(e)) throw;
    log::warn("an attempt's folder cannot be used; the attempt is ended",
              {{"task", launch.task}, {"attempt", launch.attempt}, {"error", e.what()}});
    if (boot_id != config_.boot_id) {
      return unrecorded_end(OutcomeKind::lost, 0,
                            std::string("the machine was restarted; ") + e.what());
    }
    return std::make_unique<AbandonedAttempt>(key_of(launch), config_.store, UniqueFd(), UniqueFd(),
                                              cgroup_of(launch.task, launch.attempt), e.what());
  }
}

LaunchResult PosixLauncher::look_at(const Launch& launch, const std::string& boot_id) {
  const AttemptKey key = key_of(launch);
  UniqueFd folder = open_attempt_folder(attempts_.get(), launch.task, launch.attempt);
  if (boot_id != config_.boot_id) {
    // Whatever ran is gone with its boot; only a recorded end can tell more.
    if (folder) {
      if (auto end = read_end(folder.get(), key)) return *std::move(end);
    }
    AttemptEnd end = unrecorded_end(OutcomeKind::lost, 0, "the machine was restarted");
    end.planned_stop = folder && read_lock_record(folder.get()).planned_stop;
    return end;
  }
  const std::string cgroup = cgroup_of(launch.task, launch.attempt);
  UniqueFd lock;
  std::string problem;
  try {
    if (folder) lock = open_lock(folder.get());
    if (lock && is_of_another_store(folder.get())) {
      return unrecorded_end(OutcomeKind::lost, 0, "the attempt's folder is another store's");
    }
  } catch (const std::system_error& e) {
    if (is_shortage(e)) throw;
    problem = e.what();
  }
  if (lock && is_locked_by_other(lock.get())) {
    pid_t pid = read_lock_record(folder.get()).shim;
    if (pid <= 0) pid = find_shim(folder.get());  // not written, or not readable any more
    UniqueFd pidfd(pid > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1);
    if (!pidfd && pid > 0 && errno != ESRCH) throw_errno("pidfd_open");
    // Locked before and after: the pid was the shim's all the while, so the pidfd is too.
    if (pidfd && is_locked_by_other(lock.get())) {
      return std::make_unique<PosixAttempt>(key, config_.store, std::move(folder), std::move(pidfd),
                                            UniqueFd(), cgroup, server_, pid);
    }
    // No pid: the daemon died before it opened the launch pipe; the fork server or the shim still
    // has the lock, and both leave. A pid that is gone: only a copy on its way to exec still holds
    // the lock.
  } else if (folder && problem.empty()) {
    if (auto end = recorded_end(folder.get(), key, config_.store)) return *std::move(end);
  }
  return std::make_unique<AbandonedAttempt>(key, config_.store, std::move(folder), std::move(lock),
                                            cgroup, std::move(problem));
}

bool PosixLauncher::is_of_another_store(int folder_fd) const {
  const LockRecord record = read_lock_record(folder_fd);
  return record.origin && record.origin->store != config_.store.id;
}

void PosixLauncher::cleanup_attempt(TaskId task, int attempt) {
  try {
    remove_job_files(task, attempt);
    cleanup_attempt_folder(attempts_.get(), task, attempt);
    if (const std::string cgroup = cgroup_of(task, attempt); !cgroup.empty()) end_cgroup(cgroup);
  } catch (const std::system_error& e) {
    log_leftover(task, attempt, e);
  }
}

std::int64_t PosixLauncher::remove_task(TaskId task, int attempts) {
  std::int64_t bytes = 0;
  for (int attempt = 1; attempt <= attempts; ++attempt) bytes += remove_attempt({task, attempt});
  return bytes;
}

std::int64_t PosixLauncher::remove_attempt(const AttemptId& attempt) {
  try {
    if (is_alive(attempt)) return 0;
    remove_job_files(attempt.task, attempt.attempt);
    return remove_attempt_folder(attempts_.get(), attempt.task, attempt.attempt);
  } catch (const std::system_error& e) {
    log_leftover(attempt.task, attempt.attempt, e);
    return 0;
  }
}

// A job that runs on although the store knows nothing of it: of a history that a restored backup
// took back. Its folder stays until it has ended.
bool PosixLauncher::is_alive(const AttemptId& attempt) const {
  try {
    const UniqueFd folder = open_attempt_folder(attempts_.get(), attempt.task, attempt.attempt);
    const UniqueFd lock = folder ? open_lock(folder.get()) : UniqueFd();
    return lock && is_locked_by_other(lock.get());
  } catch (const std::system_error&) {
    return false;  // no shim of ours holds what is no lock file
  }
}

std::vector<std::int64_t> PosixLauncher::folder_groups() {
  try {
    return list_attempt_groups(attempts_.get());
  } catch (const std::system_error& e) {
    log_unreadable(e);
    return {};
  }
}

FolderGroup PosixLauncher::list_group(std::int64_t group) {
  FolderGroup folders{group * kTasksPerFolder, (group + 1) * kTasksPerFolder - 1, {}};
  try {
    folders.attempts = list_attempts(attempts_.get(), group);
  } catch (const std::system_error& e) {
    log_unreadable(e);
  }
  return folders;
}

void PosixLauncher::remove_job_files(TaskId task, int attempt) {
  if (!jobs_) return;
  if (const UniqueFd folder = open_attempt_folder(attempts_.get(), task, attempt)) {
    remove_job_folder(jobs_.get(), folder.get(), task, attempt);
  }
}

std::string PosixLauncher::cgroup_of(TaskId task, int attempt) const {
  if (config_.cgroup_root.empty()) return {};
  return config_.cgroup_root + "/tasks/" + std::to_string(task) + "." + std::to_string(attempt);
}

void PosixLauncher::make_cgroup(const std::string& path) const {
  if (::mkdir(path.c_str(), 0755) == 0) return;
  if (errno != EEXIST) throw_errno("make cgroup " + path);
  // From an earlier start of the same attempt that came to nothing.
  end_cgroup(path);
  if (::mkdir(path.c_str(), 0755) != 0) throw_errno("make cgroup " + path);
}

}  // namespace taskd
