// Builds the daemon's parts, wires them together, and takes them down again. Nothing is global.

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <thread>

#include "daemon/api/server.h"
#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/instance_lock.h"
#include "daemon/base/standard_fds.h"
#include "daemon/config/config.h"
#include "daemon/config/trust.h"
#include "daemon/engine/notifier.h"
#include "daemon/engine/progress_board.h"
#include "daemon/engine/recovery.h"
#include "daemon/engine/running_set.h"
#include "daemon/engine/task_watch.h"
#include "daemon/engine/timekeeper.h"
#include "daemon/engine/worker_pool.h"
#include "daemon/process/attempt_list.h"
#include "daemon/process/posix_launcher.h"
#include "daemon/process/user.h"
#include "daemon/service_manager.h"
#include "daemon/store/db/files.h"
#include "daemon/version.h"
#include "wire/wire.h"

namespace taskd {
namespace {

// Nothing may be acknowledged any more: say why and go, without running a destructor. Jobs keep
// running; the next daemon adopts them.
[[noreturn]] void die(const std::string& sentence) {
  log::error("taskd stops", {{"error", sentence}});
  service_manager::notify_failed(sentence);
  std::_Exit(EX_IOERR);
}

// As die(), but a person has to act: a service manager does not start it again.
[[noreturn]] void die_damaged(const std::string& finding) {
  const std::string sentence = "The database is damaged (" + finding +
                               "). Restore a backup; jobs that run go on meanwhile.";
  log::error("taskd stops", {{"error", sentence}});
  service_manager::notify_failed(sentence);
  std::_Exit(EX_DATAERR);
}

// Every client and every running job takes a few descriptors. Returns the limit as it was, which is
// for the jobs: a program that uses select() writes beyond its array with a higher one.
rlimit raise_fd_limit() {
  constexpr rlim_t kWanted = 16384;
  rlimit given{};
  if (::getrlimit(RLIMIT_NOFILE, &given) != 0) {
    throw UsageError(
        EX_OSERR, std::string("cannot ask for the limit of open files: ") + std::strerror(errno));
  }
  rlimit limit = given;
  limit.rlim_cur = std::max(given.rlim_cur, std::min(kWanted, given.rlim_max));
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log::warn("cannot raise the limit of open files", {{"error", std::strerror(errno)}});
  }
  return given;
}

// As many connections as leave enough descriptors for tasks to start and end, whatever the clients
// do: an attempt holds three and needs some ten more at its start and its end; a connection that
// waits holds three.
ServerLimits server_limits(int workers) {
  constexpr rlim_t kDaemonItself = 64;
  constexpr rlim_t kPerWorker = 6;
  constexpr rlim_t kPerConnection = 3;
  constexpr rlim_t kLeast = 8;
  ServerLimits limits;
  rlimit now{};
  if (::getrlimit(RLIMIT_NOFILE, &now) != 0) return limits;
  const rlim_t reserve = kDaemonItself + kPerWorker * static_cast<rlim_t>(workers);
  const rlim_t fit = now.rlim_cur > reserve ? (now.rlim_cur - reserve) / kPerConnection : 0;
  limits.max_connections =
      std::min<std::size_t>(limits.max_connections, std::max<rlim_t>(fit, kLeast));
  return limits;
}

// Everything blocks these; the main thread takes them with sigtimedwait().
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

// A turn of the store's writer: it does not hang in a sync.
void check_writer(TaskStore& store) {
  try {
    store.claim(0);
  } catch (const StoreUnavailable&) {
    // It answered; a full disk or a lock is told to those who ask for something.
  } catch (const StoreIsCopy&) {
  }
}

// Waits for a signal to stop, feeding the watchdog if there is one.
void wait_for_stop(const sigset_t& signals, TaskStore& store) {
  const auto interval_ms = service_manager::watchdog_interval_ms();
  for (;;) {
    int signal = 0;
    if (interval_ms) {
      const timespec timeout{static_cast<time_t>(*interval_ms / 1000),
                             static_cast<long>(*interval_ms % 1000 * 1'000'000)};
      signal = ::sigtimedwait(&signals, nullptr, &timeout);
      if (signal < 0 && errno == EAGAIN) {
        check_writer(store);
        service_manager::notify_alive();
      }
    } else {
      signal = ::sigwaitinfo(&signals, nullptr);
    }
    if (signal > 0) {
      log::info("stopping; running jobs go on", {{"signal", ::strsignal(signal)}});
      return;
    }
  }
}

std::string database_in(const std::string& state_dir) {
  return state_dir + "/taskd.db";
}

void make_folder(const std::string& path, unsigned mode) {
  try {
    make_dirs(path, mode);
  } catch (const std::system_error& e) {
    throw UsageError(EX_CANTCREAT, std::string("cannot create a folder: ") + e.what());
  }
}

// Who may write there can give the daemon any task for any user.
void check_state_dir(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    throw UsageError(EX_CANTCREAT, "cannot look at " + path + ": " + std::strerror(errno));
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    throw UsageError(EX_CONFIG, "the state directory " + path + " belongs to another user (uid " +
                                    std::to_string(info.st_uid) +
                                    "), who could change every task: chown it, or name another "
                                    "(setting: state_dir)");
  }
  if (const auto why = who_may_change(path))
    throw UsageError(EX_CONFIG, "the state directory is not safe: " + *why);
}

// Jobs of other users reach the files that they are given through it (process/job_folder.h).
// Nothing else in there is open to them.
void let_jobs_pass(const std::string& path) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IXOTH) != 0) return;
  if (::chmod(path.c_str(), (info.st_mode & 07777) | S_IXGRP | S_IXOTH) == 0) {
    log::info("other users may pass through the state directory now, as their jobs do",
              {{"path", path}});
  } else {
    log::warn("jobs of other users cannot reach the files that they are given",
              {{"path", path}, {"error", std::strerror(errno)}});
  }
}

// What every program that opens the store tells it.
StoreOptions basic_options(const Config& config, const Clock& clock) {
  StoreOptions options;
  options.path = database_in(config.state_dir);
  options.boot_id = read_boot_id();
  options.ballast_bytes = config.ballast_bytes;
  options.clock = &clock;
  options.folder_task = newest_task_with_folder(config.state_dir + "/attempts");
  options.on_commit = [](std::span<const Change>) {};
  options.on_fatal = die;
  return options;
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// Else a disk that is not mounted yet would be served as an empty store.
void refuse_missing_store(const Config& config) {
  if (config.default_state_dir) return;
  const std::string database = database_in(config.state_dir);
  for (const std::string& left : {database, database + "-wal", mark_path(database)}) {
    if (exists(left)) return;
  }
  throw UsageError(EX_NOINPUT,
                   "there is no store in " + config.state_dir +
                       ". If it lies on a disk that is not mounted, mount that. To make an empty "
                       "store there: taskd --init --state-dir " +
                       config.state_dir);
}

Machine machine_of(const Config& config) {
  return {config.workers, config.resources};
}

class Daemon {
 public:
  Daemon(const Config& config, UniqueFd listener, const rlimit& given_open_files)
      : listener_(std::move(listener)),
        boot_id_(read_boot_id()),
        attempts_dir_(config.state_dir + "/attempts"),
        store_(TaskStore::open(store_options(config))),
        launcher_({.attempts_dir = attempts_dir_,
                   .jobs_dir = config.state_dir + "/jobs",
                   .shim_path = config.shim,
                   .boot_id = boot_id_,
                   .socket = config.socket,
                   .output_cap_bytes = config.output_cap_bytes,
                   .cgroup_root = config.cgroup,
                   .open_files = given_open_files,
                   .store = {.id = store_->identity().id,
                             .epoch = store_->identity().epoch,
                             .is_verified = store_->provenance() != Provenance::first_start}}),
        handlers_(config.handlers),
        progress_(*store_, clock_, die),
        pool_(*store_, launcher_, running_, clock_, progress_, handlers_, config.workers, die),
        age_clock_(clock_, store_->clock_point(),
                   [this](const TrustedClock::Point& point) { keep_clock_point(point); }),
        timekeeper_(*store_, launcher_, clock_, age_clock_, handlers_, die),
        notifier_(*store_, clock_, age_clock_, config.hooks, config.socket, die),
        server_(ApiContext{.store = *store_,
                           .watch = watch_,
                           .launcher = launcher_,
                           .progress = progress_,
                           .running = running_,
                           .clock = clock_,
                           .attempts_dir = attempts_dir_,
                           .version = kVersion,
                           .started_at = clock_.wall_now(),
                           .workers =
                               [this] {
                                 return WorkerCounts{pool_.total(), running_.busy()};
                               },
                           .notifier = &notifier_,
                           .machine = machine_of(config),
                           .handlers = &handlers_,
                           .age_clock = &age_clock_},
                server_limits(config.workers)) {
    if (is_copy()) return;
    store_->configure_queues(config.queues);
    name_owners();
  }

  void run(const sigset_t& signals) {
    if (is_copy()) {
      look_on(signals);
      return;
    }
    Recovery recovery = recover(*store_, launcher_);
    log::info("taskd is up", {{"version", kVersion},
                              {"workers", pool_.total()},
                              {"adopted", recovery.adopted.size()},
                              {"ended_meanwhile", recovery.ended},
                              {"lost", recovery.lost}});
    publishing_.store(true);
    progress_.start();
    pool_.start(std::move(recovery.adopted));
    timekeeper_.start();
    notifier_.start();
    std::thread serving([this] { serve(); });
    if (store_->was_left_open()) checking_ = std::thread([this] { check_for_damage(); });
    service_manager::notify_ready("serving");
    wait_for_stop(signals, *store_);
    service_manager::notify_stopping();
    stopping_.store(true);
    if (checking_.joinable()) checking_.join();
    watch_.close();
    notifier_.stop();  // first, since a request may wait for the test of a hook
    server_.stop();
    serving.join();
    pool_.stop();  // no claim is under way any more, so nobody asks for its idle workers
    progress_.stop();
    timekeeper_.stop();
    publishing_.store(false);
    log::info("taskd stopped");
  }

 private:
  bool is_copy() const { return store_->provenance() == Provenance::copy; }

  // Answers who only looks. Nothing is started, ended or changed.
  void look_on(const sigset_t& signals) {
    log::warn("this store is a copy of another: nothing is started or changed until somebody decides",
              {{"state_dir", attempts_dir_.substr(0, attempts_dir_.rfind('/'))},
               {"store", store_->identity().id},
               {"to_make_it_one_of_its_own", "taskd --adopt-copy"}});
    std::thread serving([this] { serve(); });
    service_manager::notify_ready("a copy of another store, read-only");
    wait_for_stop(signals, *store_);
    service_manager::notify_stopping();
    watch_.close();
    server_.stop();
    serving.join();
    log::info("taskd stopped");
  }

  StoreOptions store_options(const Config& config) {
    StoreOptions options = basic_options(config, clock_);
    for (const Hook& hook : config.hooks) options.hooks.push_back({hook.name, hook.on});
    options.describe_task = [](const Task& task) { return task_state_to_text(task); };
    options.describe_spec = [](const TaskSpec& spec) { return spec_to_text(spec); };
    options.machine = machine_of(config);
    options.on_commit = [this](std::span<const Change> changes) { publish(changes); };
    options.idle_workers = [this](int at_most) {
      return publishing_.load() ? pool_.idle().promise(at_most) : 0;
    };
    options.on_claims = [this](std::optional<Claims> claims) {
      pool_.idle().hand_over(std::move(claims));
    };
    return options;
  }

  // Of tasks of a version that wrote no names: whoever has the uid now.
  void name_owners() {
    for (const std::uint32_t uid : store_->unknown_users()) {
      const auto entry = find_entry(uid);
      store_->know_user(uid, entry ? entry->name : "");
    }
  }

  void keep_clock_point(const TrustedClock::Point& point) {
    store_->keep_clock_point(point);
    if (!point.ahead_since) return;
    log::warn("the clock jumped ahead: nothing is removed as too old until the jump lasted a day",
              {{"ahead_ms", clock_.wall_now() - (point.wall + (clock_.boot_now() - point.boot))}});
  }

  // What the daemon before this one left may be damaged where nobody reads for now.
  void check_for_damage() {
    try {
      const auto found = store_->find_damage(/*full=*/false, [this] { return stopping_.load(); });
      if (!found.empty()) die_damaged(found.front());
    } catch (const std::exception& e) {
      log::warn("checking the database for damage failed", {{"error", e.what()}});
    }
  }

  void serve() {
    try {
      server_.serve(listener_.get());
    } catch (const std::exception& e) {
      die(std::string("the server cannot go on: ") + e.what());
    }
  }

  // On the store's writer thread, after each COMMIT.
  void publish(std::span<const Change> changes) {
    if (!publishing_.load()) return;  // before all parts are built, or after they stopped
    running_.publish(changes);
    pool_.idle().publish(changes);
    timekeeper_.publish(changes);
    notifier_.publish(changes);
    watch_.publish(changes);
  }

  const SystemClock clock_{};
  const UniqueFd listener_;
  const std::string boot_id_;
  const std::string attempts_dir_;
  std::atomic<bool> publishing_{false};
  std::atomic<bool> stopping_{false};
  std::thread checking_;
  TaskWatch watch_;
  RunningSet running_;
  std::unique_ptr<TaskStore> store_;
  PosixLauncher launcher_;
  const Handlers handlers_;
  ProgressBoard progress_;
  WorkerPool pool_;
  const TrustedClock age_clock_;
  Timekeeper timekeeper_;
  Notifier notifier_;
  ApiServer server_;
};

std::string folder_of(const std::string& path) {
  return path.rfind('/') == 0 ? "/" : path.substr(0, path.rfind('/'));
}

// The copy decides nothing about files that it shares with the original.
void refuse_shared_attempts(const std::string& attempts_dir) {
  struct stat info {};
  if (::lstat(attempts_dir.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) return;
  throw UsageError(EX_CONFIG, attempts_dir +
                                  " is a symbolic link, so the store that was copied may use the "
                                  "same files. Put a folder of its own in its place.");
}

// --init and --adopt-copy: opens the store once, says what came of it and is done.
int decide(const Config& config, Mode mode) {
  const SystemClock clock{};
  StoreOptions options = basic_options(config, clock);
  options.adopt_copy = mode == Mode::adopt_copy;
  if (options.adopt_copy) refuse_shared_attempts(config.state_dir + "/attempts");
  const auto store = TaskStore::open(std::move(options));
  const StoreIdentity& identity = store->identity();
  if (mode == Mode::init) {
    const bool is_new = identity.generation == 1 && store->provenance() != Provenance::copy;
    std::printf(is_new ? "taskd: made an empty store in %s\n" : "taskd: %s holds a store already\n",
                config.state_dir.c_str());
  } else if (store->was_adopted()) {
    std::printf("taskd: %s is a store of its own now (%s)\n", config.state_dir.c_str(),
                identity.id.c_str());
  } else {
    std::printf("taskd: %s is no copy; nothing was changed\n", config.state_dir.c_str());
  }
  return EX_OK;
}

// Whether the configured place can be one; nothing is made there yet.
void check_place(const Config& config) {
  refuse_unsafe_filesystem(config.state_dir);
  refuse_unsafe_filesystem(config.state_dir + "/attempts");
  if (exists(config.state_dir)) check_state_dir(config.state_dir);
}

// The configured place, ready to be used.
void prepare_state_dir(const Config& config, Mode mode) {
  if (mode != Mode::init) refuse_missing_store(config);
  make_folder(config.state_dir, ::geteuid() == 0 ? 0711 : 0700);
  check_state_dir(config.state_dir);
  let_jobs_pass(config.state_dir);
  sync_parents(config.state_dir);  // a first start: nothing durable may lie in a lost folder
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
  make_folder(config.state_dir + "/attempts", 0700);
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
