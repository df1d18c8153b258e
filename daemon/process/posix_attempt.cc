#include "daemon/process/posix_attempt.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/errors.h"
#include "daemon/base/log.h"
#include "daemon/process/job_files.h"
#include "daemon/process/leftovers.h"
#include "daemon/process/output.h"
#include "daemon/process/shim/protocol.h"

namespace taskd {
namespace {

constexpr std::size_t kStderrTailBytes = 4096;
constexpr std::chrono::milliseconds kLockTimeout{500};

// Missing output is no reason to miss the end.
std::string stderr_tail(int folder_fd, const AttemptKey& key) {
  try {
    return read_output_tail(folder_fd, Stream::err, kStderrTailBytes);
  } catch (const std::system_error& e) {
    if (is_shortage(e)) throw;
    log::warn("cannot read the end of stderr",
              {{"task", key.task}, {"attempt", key.attempt}, {"error", e.what()}});
    return {};
  }
}

// What a result that is none means for the task is for the store to say (judge_result()).
void add_result(int folder_fd, const AttemptKey& key, const std::string& word, AttemptEnd& end) {
  WrittenResult written;
  try {
    written = read_result(folder_fd, word);
  } catch (const std::system_error& e) {
    if (is_shortage(e)) throw;
    written.problem = e.what();
  }
  end.result = std::move(written.json);
  if (written.problem.empty()) return;
  log::warn("a job's result cannot be taken",
            {{"task", key.task}, {"attempt", key.attempt}, {"error", written.problem}});
  end.result_problem = std::move(written.problem);
}

}  // namespace

AttemptEnd unrecorded_end(OutcomeKind kind, int code, std::string detail) {
  AttemptEnd end;
  end.outcome = {kind, code, std::move(detail)};
  return end;
}

std::optional<AttemptEnd> read_end(int folder_fd, const AttemptKey& key) {
  auto status = read_status(folder_fd, key);
  if (!status) return std::nullopt;
  AttemptEnd& end = status->end;
  if (end.outcome.kind != OutcomeKind::not_started) {
    add_result(folder_fd, key, status->result, end);
  }
  return std::move(end);
}

std::optional<AttemptEnd> recorded_end(int folder_fd, const AttemptKey& key,
                                       const AttemptStore& store) {
  auto end = read_end(folder_fd, key);
  if (end) {
    end->stderr_tail = stderr_tail(folder_fd, key);
  } else if (read_lock_record(folder_fd).proves_no_start(store, key.token)) {
    end = unrecorded_end(OutcomeKind::not_started, 0, "the shim ended before the command began");
  }
  return end;
}

AttemptEnd conclude_attempt(int folder_fd, const AttemptKey& key, const AttemptStore& store,
                            const std::string& cgroup, ForkServer* server) {
  if (!cgroup.empty()) end_cgroup(cgroup);
  std::string problem = "its supervisor, taskd-shim, was killed";
  bool planned_stop = false;
  Marks marks{.token = key.token};
  bool may_end_leftovers = store.is_verified;
  try {
    if (auto end = recorded_end(folder_fd, key, store)) return *std::move(end);
    const LockRecord lock = read_lock_record(folder_fd);
    marks.session = lock.session;
    marks.session_start = lock.session_start;
    planned_stop = lock.planned_stop;
    if (planned_stop) problem = "its supervisor, taskd-shim, was told to stop, and then killed";
    may_end_leftovers = lock.may_end_leftovers(store);
  } catch (const std::system_error& e) {
    if (is_shortage(e)) throw;
    problem = e.what();
    marks.folder_fd = folder_fd;
  }
  if (may_end_leftovers) kill_leftovers(marks, server);
  AttemptEnd end = unrecorded_end(OutcomeKind::lost, 0, std::move(problem));
  end.planned_stop = planned_stop;
  end.stderr_tail = stderr_tail(folder_fd, key);
  try {
    end.stdout_dropped_bytes = output_dropped(folder_fd, Stream::out);
    end.stderr_dropped_bytes = output_dropped(folder_fd, Stream::err);
  } catch (const std::system_error& e) {
    log::warn("cannot tell how much output was dropped",
              {{"task", key.task}, {"attempt", key.attempt}, {"error", e.what()}});
  }
  return end;
}

PosixAttempt::PosixAttempt(AttemptKey key, AttemptStore store, UniqueFd folder, UniqueFd pidfd,
                           UniqueFd launch_pipe, std::string cgroup,
                           std::weak_ptr<ForkServer> server, pid_t shim)
    : key_(std::move(key)),
      store_(std::move(store)),
      folder_(std::move(folder)),
      pidfd_(std::move(pidfd)),
      launch_pipe_(std::move(launch_pipe)),
      cgroup_(std::move(cgroup)),
      server_(std::move(server)),
      shim_(shim) {}

void PosixAttempt::stop() {
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGTERM, nullptr, 0) == 0) return wake();
  if (errno != ESRCH) log_deaf(errno);  // else it is over already
}

void PosixAttempt::wake() {
  // Fails only when it is over.
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGCONT, nullptr, 0);
}

void PosixAttempt::stop_stalled() {
  try {
    order(shim::kStalled);
  } catch (const std::system_error& e) {
    log_deaf(e.code().value());
  }
}

bool PosixAttempt::signal(int number) {
  try {
    // Else it would be read by nobody.
    if (!read_lock_record(folder_.get()).started) return false;
    if (number == 0) return ::syscall(SYS_pidfd_send_signal, pidfd_.get(), 0, nullptr, 0) == 0;
    return order(number);
  } catch (const std::system_error& e) {
    log_deaf(e.code().value());
    return false;
  }
}

bool PosixAttempt::order(int value) const {
  siginfo_t info{};
  info.si_signo = shim::order_signal();
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_int = value;
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), info.si_signo, &info, 0) != 0) {
    if (errno == ESRCH) return false;
    throw_errno("signal the shim");
  }
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGCONT, nullptr, 0);
  return true;
}

void PosixAttempt::log_deaf(int error) const {
  log::error("cannot signal the shim", {{"task", key_.task},
                                        {"attempt", key_.attempt},
                                        {"error", std::generic_category().message(error)}});
}

AttemptEnd PosixAttempt::reap() {
  wait_for_exit(pidfd_.get());
  const std::shared_ptr<ForkServer> server = server_.lock();
  // Once: when this is tried again, its pid may be another shim's.
  if (server && shim_ != 0) server->forget(std::exchange(shim_, 0));
  return conclude_attempt(folder_.get(), key_, store_, cgroup_, server.get());
}

AbandonedAttempt::AbandonedAttempt(AttemptKey key, AttemptStore store, UniqueFd folder,
                                   UniqueFd lock, std::string cgroup, std::string problem)
    : key_(std::move(key)),
      store_(std::move(store)),
      folder_(std::move(folder)),
      lock_(std::move(lock)),
      cgroup_(std::move(cgroup)),
      problem_(std::move(problem)) {
  ready_.raise();
}

AttemptEnd AbandonedAttempt::reap() {
  if (lock_) {
    if (!wait_for_lock(lock_.get(), kLockTimeout)) {
      errno = EBUSY;
      throw_errno("wait for the attempt's lock");
    }
    // It may throw, and is tried again then: the lock is what tells that there is an end to read.
    AttemptEnd end = conclude_attempt(folder_.get(), key_, store_, cgroup_, nullptr);
    lock_.reset();  // the attempt's number may be started again
    return end;
  }
  // Never made, or removed by somebody: nothing proves that the command did not run.
  if (!cgroup_.empty()) end_cgroup(cgroup_);
  if (store_.is_verified) {
    kill_leftovers({.token = key_.token, .folder_fd = folder_.get()}, nullptr);
  }
  return unrecorded_end(OutcomeKind::lost, 0,
                        problem_.empty() ? "the attempt has no lock file" : problem_);
}

}  // namespace taskd
