#include "daemon/daemon.h"

#include <sysexits.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/engine/recovery.h"
#include "daemon/process/attempt_list.h"
#include "daemon/process/user.h"
#include "daemon/service_manager.h"
#include "daemon/state_dir.h"
#include "daemon/version.h"
#include "wire/wire.h"

namespace taskd {
namespace {

// Nothing may be acknowledged any more: logs why and exits without running destructors. Jobs keep
// running; the next daemon adopts them.
[[noreturn]] void die(const std::string& sentence) {
  log::error("taskd stops", {{"error", sentence}});
  service_manager::notify_failed(sentence);
  std::_Exit(EX_IOERR);
}

// Like die(), but a person has to act: the service manager does not restart it.
[[noreturn]] void die_damaged(const std::string& finding) {
  const std::string sentence = "The database is damaged (" + finding +
                               "). Restore a backup; running jobs continue meanwhile.";
  log::error("taskd stops", {{"error", sentence}});
  service_manager::notify_failed(sentence);
  std::_Exit(EX_DATAERR);
}

// Limits connections so that enough descriptors remain for tasks to start and end, whatever clients
// do: an attempt holds three and needs some ten more at its start and its end; a waiting connection
// holds three.
ServerLimits server_limits(int workers) {
  constexpr rlim_t kDaemonItself = 64;
  constexpr rlim_t kPerWorker = 6;
  constexpr rlim_t kPerConnection = 3;
  constexpr rlim_t kMin = 8;
  ServerLimits limits;
  rlimit now{};
  if (::getrlimit(RLIMIT_NOFILE, &now) != 0) return limits;
  const rlim_t reserve = kDaemonItself + kPerWorker * static_cast<rlim_t>(workers);
  const rlim_t fit = now.rlim_cur > reserve ? (now.rlim_cur - reserve) / kPerConnection : 0;
  limits.max_connections =
      std::min<std::size_t>(limits.max_connections, std::max<rlim_t>(fit, kMin));
  return limits;
}

// Runs through the store's writer, to check that it does not hang in a sync.
void check_writer(TaskStore& store) {
  try {
    store.claim(0);
  } catch (const StoreUnavailable&) {
    // It answered. A full disk or a lock is reported to clients.
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
      log::info("stopping; running jobs continue", {{"signal", ::strsignal(signal)}});
      return;
    }
  }
}

Machine machine_of(const Config& config) {
  return {config.workers, config.resources};
}

}  // namespace

StoreOptions basic_options(const Config& config, const Clock& clock) {
  StoreOptions options;
  options.path = database_in(config.state_dir);
  options.boot_id = read_boot_id();
  options.ballast_bytes = config.ballast_bytes;
  options.clock = &clock;
  options.folder_task = newest_task_with_folder(attempts_in(config.state_dir));
  options.on_commit = [](std::span<const Change>) {};
  options.on_fatal = die;
  return options;
}

Daemon::Daemon(const Config& config, UniqueFd listener, const rlimit& given_open_files)
    : listener_(std::move(listener)),
      boot_id_(read_boot_id()),
      attempts_dir_(attempts_in(config.state_dir)),
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
      timer_thread_(*store_, launcher_, clock_, age_clock_, handlers_, die),
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

void Daemon::run(const sigset_t& signals) {
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
  timer_thread_.start();
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
  pool_.stop();  // no claim is in progress any more, so nobody asks for its idle workers
  progress_.stop();
  timer_thread_.stop();
  publishing_.store(false);
  log::info("taskd stopped");
}

void Daemon::look_on(const sigset_t& signals) {
  log::warn("this store is a copy of another: it is read-only until adopted",
            {{"state_dir", attempts_dir_.substr(0, attempts_dir_.rfind('/'))},
             {"store", store_->identity().id},
             {"to_make_it_one_of_its_own", "taskctl daemon --adopt-copy"}});
  std::thread serving([this] { serve(); });
  service_manager::notify_ready("a copy of another store, read-only");
  wait_for_stop(signals, *store_);
  service_manager::notify_stopping();
  watch_.close();
  server_.stop();
  serving.join();
  log::info("taskd stopped");
}

StoreOptions Daemon::store_options(const Config& config) {
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

void Daemon::name_owners() {
  for (const std::uint32_t uid : store_->unknown_users()) {
    const auto entry = find_entry(uid);
    store_->know_user(uid, entry ? entry->name : "");
  }
}

void Daemon::keep_clock_point(const TrustedClock::Point& point) {
  store_->keep_clock_point(point);
  if (!point.ahead_since) return;
  log::warn("the clock jumped ahead: old tasks are not removed until the jump has lasted a day",
            {{"ahead_ms", clock_.wall_now() - (point.wall + (clock_.boot_now() - point.boot))}});
}

void Daemon::check_for_damage() {
  try {
    const auto found = store_->find_damage(/*full=*/false, [this] { return stopping_.load(); });
    if (!found.empty()) die_damaged(found.front());
  } catch (const std::exception& e) {
    log::warn("checking the database for damage failed", {{"error", e.what()}});
  }
}

void Daemon::serve() {
  try {
    server_.serve(listener_.get());
  } catch (const std::exception& e) {
    die(std::string("the server failed: ") + e.what());
  }
}

void Daemon::publish(std::span<const Change> changes) {
  if (!publishing_.load()) return;  // before all parts exist, or after they stopped
  running_.publish(changes);
  pool_.idle().publish(changes);
  timer_thread_.publish(changes);
  notifier_.publish(changes);
  watch_.publish(changes);
}

}  // namespace taskd
