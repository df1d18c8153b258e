// The program taskd: parses the command line, then runs the daemon or does what else was asked.

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "daemon/api/http/listen.h"
#include "daemon/base/errors.h"
#include "daemon/base/instance_lock.h"
#include "daemon/base/log.h"
#include "daemon/base/standard_fds.h"
#include "daemon/config/config.h"
#include "daemon/daemon.h"
#include "daemon/service_manager.h"
#include "daemon/state_dir.h"
#include "daemon/version.h"

namespace taskd {
namespace {

// Every client and every running job needs a few descriptors. Returns the original limit, for the
// jobs: with a higher limit, a program that uses select() writes beyond its array.
rlimit raise_fd_limit() {
  constexpr rlim_t kWanted = 16384;
  rlimit given{};
  if (::getrlimit(RLIMIT_NOFILE, &given) != 0) {
    throw UsageError(EX_OSERR,
                     std::string("cannot read the limit of open files: ") + std::strerror(errno));
  }
  rlimit limit = given;
  limit.rlim_cur = std::max(given.rlim_cur, std::min(kWanted, given.rlim_max));
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log::warn("cannot raise the limit of open files", {{"error", std::strerror(errno)}});
  }
  return given;
}

// Blocked in all threads; the main thread receives them with sigtimedwait().
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

std::string folder_of(const std::string& path) {
  return path.rfind('/') == 0 ? "/" : path.substr(0, path.rfind('/'));
}

// --init and --adopt-copy: opens the store once, reports the result and exits.
int decide(const Config& config, Mode mode) {
  const SystemClock clock{};
  StoreOptions options = basic_options(config, clock);
  options.adopt_copy = mode == Mode::adopt_copy;
  if (options.adopt_copy) refuse_shared_attempts(attempts_in(config.state_dir));
  const auto store = TaskStore::open(std::move(options));
  const StoreIdentity& identity = store->identity();
  if (mode == Mode::init) {
    const bool is_new = identity.generation == 1 && store->provenance() != Provenance::copy;
    std::printf(
        is_new ? "taskd: created an empty store in %s\n" : "taskd: %s already holds a store\n",
        config.state_dir.c_str());
  } else if (store->was_adopted()) {
    std::printf("taskd: %s is now a store of its own (%s)\n", config.state_dir.c_str(),
                identity.id.c_str());
  } else {
    std::printf("taskd: %s is not a copy; nothing was changed\n", config.state_dir.c_str());
  }
  return EX_OK;
}

int run(int argc, char** argv) {
  if (const int error = open_missing_standard_fds())
    throw UsageError(EX_OSERR, std::string("cannot open /dev/null: ") + std::strerror(error));
  const CommandLine line = load_config(argc, argv);
  switch (line.mode) {
    case Mode::help:
      std::fputs(line.help.c_str(), stdout);
      return EX_OK;
    case Mode::version:
      std::printf("taskd %s\n", kVersion);
      return EX_OK;
    case Mode::check_config:
      std::fputs(describe(line.config).c_str(), stdout);
      return EX_OK;
    case Mode::run:
    case Mode::init:
    case Mode::adopt_copy:
      break;
  }
  const Config& config = line.config;
  const bool to_journal =
      config.log_to == Config::LogTo::journal ||
      (config.log_to == Config::LogTo::automatic && service_manager::stderr_is_journal());
  log::configure(config.log_level, to_journal);
  ::umask(077);
  const rlimit given_open_files = raise_fd_limit();
  const sigset_t signals = block_signals();
  std::optional<UniqueFd> socket = service_manager::adopt_socket();
  if (::access(config.shim.c_str(), X_OK) != 0) {
    throw UsageError(EX_CONFIG, "cannot run the shim " + config.shim + ": " + std::strerror(errno) +
                                    " (setting: shim)");
  }

  check_place(config);
  if (!socket) check_socket_path(config.socket);
  prepare_state_dir(config, line.mode);
  const InstanceLock lock(config.state_dir);
  if (line.mode != Mode::run) return decide(config, line.mode);
  make_folder(attempts_in(config.state_dir), 0700);
  const bool own_socket = !socket;
  if (own_socket) {
    if (const std::string folder = folder_of(config.socket); folder != "/") {
      make_folder(folder, 0755);
    }
    socket = listen_unix(config.socket, config.socket_mode);
  }
  {
    Daemon daemon(config, std::move(*socket), given_open_files);
    daemon.run(signals);
  }
  if (own_socket && ::unlink(config.socket.c_str()) != 0 && errno != ENOENT) {
    log::warn("cannot remove the socket", {{"error", std::strerror(errno)}});
  }
  return EX_OK;
}

}  // namespace
}  // namespace taskd

int main(int argc, char** argv) {
  try {
    return taskd::run(argc, argv);
  } catch (const taskd::UsageError& e) {
    std::fprintf(stderr, "taskd: %s\n", e.what());
    taskd::service_manager::notify_failed(e.what());
    return e.exit_code;
  } catch (const taskd::StoreUnavailable& e) {
    std::fprintf(stderr, "taskd: %s\n", e.what());
    taskd::service_manager::notify_failed(e.what());
    return EX_TEMPFAIL;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "taskd: %s\n", e.what());
    taskd::service_manager::notify_failed(e.what());
    return EX_SOFTWARE;
  }
}
