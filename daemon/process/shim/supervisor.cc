#include "daemon/process/shim/supervisor.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <cerrno>

#include "daemon/process/shim/text.h"
#include "daemon/process/shim/tree.h"

namespace taskd::shim {
namespace {

// While a killed tree is not gone yet: a process born during a pass may have been missed by it.
constexpr std::int64_t kKillAgainMs = 100;

// The largest pipe a command can make, in reads of the buffer: what a dead tree may have left.
constexpr int kDrainReads = 16;

char buffer[64 * 1024];

// The machine had no room for a process, now; nothing is wrong with the task.
bool is_shortage(int error) {
  return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
}

bool is_stop_pending() {
  sigset_t pending;
  return ::sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}

// A job must not be able to look like a planned stop, which may come again and again.
Stopper find_stopper(const signalfd_siginfo& info, const SpecHeader& header) {
  using Who = Stopper::Who;
  Stopper stopper{.who = Who::unknown, .pid = static_cast<pid_t>(info.ssi_pid)};
  // 0: the kernel, or somebody outside of our pid namespace.
  if (stopper.pid == 0) stopper.who = Who::outside;
  // Another user's job could not have sent it.
  if (header.switch_user != 0 && header.uid != 0 && info.ssi_uid == 0) stopper.who = Who::outside;
  if (stopper.pid > 0) {
    const Ancestry ancestry = ancestry_of(stopper.pid);
    if (ancestry == Ancestry::descendant) stopper.who = Who::own_tree;
    if (ancestry == Ancestry::stranger) stopper.who = Who::outside;
    Text<32> path;
    path << "/proc/" << stopper.pid << "/comm";
    if (read_small(AT_FDCWD, path.c_str(), stopper.name, sizeof stopper.name) < 0) {
      stopper.name[0] = '\0';
    }
  }
  for (char* c = stopper.name; *c != '\0'; ++c) {
    if (*c == '\n') {
      *c = '\0';
      break;
    }
    if (*c < ' ' || *c > '~') *c = '?';
  }
  return stopper;
}

timespec to_timespec(std::int64_t ms) {
  return {static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000 * 1'000'000)};
}

}  // namespace

Supervisor::Supervisor(const Spec& spec)
    : spec_(spec),
      out_(kFolderFd, "stdout", spec.header.output_cap_bytes),
      err_(kFolderFd, "stderr", spec.header.output_cap_bytes),
      order_(kFolderFd) {}

End Supervisor::run() {
  if (is_stop_pending()) {
    // Nothing of the job's is there yet that could have sent it.
    return {.outcome = "cancelled", .stopper = {.who = Stopper::Who::outside}};
  }
  if (const Failure failure = start()) {
    cgroup_.remove();
    return {.outcome = "not_started", .code = failure.error, .step = failure.step};
  }
  while (!tree_gone_) turn();
  // What is in the pipes now is all there will be. No waiting for their end: a process that got
  // hold of one and escaped must not keep the attempt open.
  drain(command_.out, out_);
  drain(command_.err, err_);
  const End end = how_it_ended();
  cgroup_.remove();
  return end;
}

Failure Supervisor::start() {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, order_signal());
  signals_.reset(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return {"signalfd", errno};
  timer_.reset(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_) return {"timerfd", errno};
  if (const int error = cgroup_.open(spec_.cgroup)) return {"cgroup", error};
  if (const int error = result_.open(spec_.result)) return {"result", error};
  errno = ENOSPC;  // what a short write means
  if (::write(kLockFd, kStartedMark.data(), kStartedMark.size()) !=
      static_cast<ssize_t>(kStartedMark.size())) {
    return {"lock", errno};
  }
  if (const Failure failure = start_command(spec_, cgroup_.folder(), command_)) return failure;
  if (spec_.header.timeout_ms > 0) arm_timer(spec_.header.timeout_ms, 0);
  return {};
}

void Supervisor::turn() {
  // poll() passes over negative descriptors. The cgroup matters once it is all that is left.
  const bool wait_for_cgroup = no_children_ && cgroup_;
  pollfd slots[] = {{signals_.get(), POLLIN, 0},
                    {timer_.get(), POLLIN, 0},
                    {command_.out.get(), POLLIN, 0},
                    {command_.err.get(), POLLIN, 0},
                    {wait_for_cgroup ? cgroup_.events() : -1, POLLPRI, 0},
                    {result_.fd(), POLLIN, 0}};
  if (::poll(slots, sizeof slots / sizeof slots[0], -1) < 0) return;  // ENOMEM: try again
  // Ends come before stops: what ended first keeps its own result.
  if (slots[0].revents != 0) on_signals();
  if (slots[4].revents != 0) reap();
  if (slots[1].revents != 0) on_timer();
  pump(slots[2], command_.out, out_);
  pump(slots[3], command_.err, err_);
  if (slots[5].revents != 0) result_.read();
}

void Supervisor::on_signals() {
  signalfd_siginfo infos[8];
  const ssize_t n = ::read(signals_.get(), infos, sizeof infos);
  const ssize_t count = n / static_cast<ssize_t>(sizeof infos[0]);
  reap();
  for (ssize_t i = 0; i < count && !tree_gone_; ++i) {
    const bool is_order = infos[i].ssi_signo == static_cast<std::uint32_t>(order_signal());
    if (is_order && infos[i].ssi_code == SI_QUEUE) obey(infos[i].ssi_int);
    if (infos[i].ssi_signo == SIGTERM && phase_ == Phase::running) on_term(infos[i]);
  }
}

void Supervisor::on_term(const signalfd_siginfo& info) {
  stopper_ = find_stopper(info, spec_.header);
  if (stopper_.who == Stopper::Who::outside) {
    // At once: what stops the machine may not wait for our end. Fails only on a broken disk.
    [[maybe_unused]] const ssize_t n =
        ::write(kLockFd, kPlannedStopMark.data(), kPlannedStopMark.size());
  }
  begin_stop("cancelled");
}

void Supervisor::obey(int order) {
  if (order == kStalled) {
    if (phase_ != Phase::running) return;
    stop_step_ = kStalledStep;
    begin_stop("timed_out");
    return;
  }
  // Until the command is reaped its pid is its own, and so is its group's. Only before setsid() it
  // has no group yet.
  if (!command_ended_ && ::kill(-command_.pid, order) != 0) ::kill(command_.pid, order);
}

void Supervisor::reap() {
  pid_t pid = 0;
  int status = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != command_.pid) continue;
    command_ended_ = true;
    wait_status_ = status;
  }
  no_children_ = pid < 0;
  tree_gone_ = no_children_ && !cgroup_.populated();
  if (tree_gone_) return;
  if (phase_ == Phase::killing) {
    kill_tree();
  } else if (phase_ == Phase::running && command_ended_) {
    begin_stop({});  // only stragglers are left
  }
}

void Supervisor::on_timer() {
  std::uint64_t ticks = 0;
  if (::read(timer_.get(), &ticks, sizeof ticks) < 0) return;  // re-armed since poll() saw it
  const Phase phase = phase_;
  reap();  // what ended before the timer keeps its own result
  if (tree_gone_ || phase_ != phase) return;
  if (phase_ == Phase::running) {
    begin_stop("timed_out");
  } else {
    kill_tree();
  }
}

void Supervisor::begin_stop(std::string_view outcome) {
  stop_outcome_ = outcome;
  if (spec_.header.grace_ms == 0) {
    kill_tree();
    return;
  }
  phase_ = Phase::terminating;
  arm_timer(spec_.header.grace_ms, 0);
  // Once: for some programs a second TERM means "now". Who is born in this very moment may miss it,
  // as others ignore it; the end of the grace is for them.
  signal_descendants(SIGTERM);
}

void Supervisor::kill_tree() {
  if (phase_ != Phase::killing) {
    phase_ = Phase::killing;
    arm_timer(kKillAgainMs, kKillAgainMs);
  }
  cgroup_.kill();
  // Also what was moved out of the cgroup (by a login, a container engine): it is ours all the
  // same.
  signal_descendants(SIGKILL);
}

void Supervisor::arm_timer(std::int64_t ms, std::int64_t interval_ms) {
  const itimerspec spec{to_timespec(interval_ms), to_timespec(ms)};
  ::timerfd_settime(timer_.get(), 0, &spec, nullptr);  // cannot fail: the values are in range
}

void Supervisor::pump(pollfd& slot, Fd& pipe, OutputFile& file) {
  if (slot.revents == 0) return;
  const ssize_t n = (slot.revents & POLLIN) != 0 ? ::read(pipe.get(), buffer, sizeof buffer) : 0;
  if (n > 0) {
    order_.note(&file == &out_ ? 'o' : 'e', file.offset());
    file.append(buffer, static_cast<std::size_t>(n));
  } else {
    pipe.reset();
  }
}

void Supervisor::drain(Fd& pipe, OutputFile& file) {
  for (int i = 0; pipe && i < kDrainReads; ++i) {
    pollfd slot{pipe.get(), POLLIN, 0};
    if (::poll(&slot, 1, 0) <= 0) return;
    pump(slot, pipe, file);
  }
}

End Supervisor::how_it_ended() const {
  End end;
  ::getrusage(RUSAGE_CHILDREN, &end.usage);  // cannot fail for this argument
  end.output_error = out_.error() != 0 ? out_.error() : err_.error();
  end.dropped_out = out_.dropped();
  end.dropped_err = err_.dropped();
  end.stopper = stopper_;
  if (const Failure failure = read_report(command_)) {
    end.outcome = is_shortage(failure.error) ? "not_started" : "spawn_failed";
    end.code = failure.error;
    end.step = failure.step;
  } else if (!stop_outcome_.empty()) {
    end.outcome = stop_outcome_;
    end.step = stop_step_;
  } else if (WIFEXITED(wait_status_)) {
    end.outcome = "exited";
    end.code = WEXITSTATUS(wait_status_);
  } else {
    end.code = WTERMSIG(wait_status_);
    end.outcome = end.code == SIGKILL && cgroup_.had_oom_kill() ? "oom_killed" : "signaled";
  }
  return end;
}

}  // namespace taskd::shim
