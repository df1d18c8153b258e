// The daemon: creates its parts and connects them. No globals.
#pragma once

#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "daemon/api/server.h"
#include "daemon/base/clock.h"
#include "daemon/base/trusted_clock.h"
#include "daemon/base/unique_fd.h"
#include "daemon/config/config.h"
#include "daemon/engine/notifier.h"
#include "daemon/engine/progress_board.h"
#include "daemon/engine/running_set.h"
#include "daemon/engine/task_watch.h"
#include "daemon/engine/timer_thread.h"
#include "daemon/engine/worker_pool.h"
#include "daemon/process/posix_launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

// The store options that every program needs to open the store.
StoreOptions basic_options(const Config& config, const Clock& clock);

class Daemon {
 public:
  // Opens the store. `given_open_files` is the open-files limit that jobs get. Requires a prepared
  // state directory whose lock this process holds. Throws what TaskStore::open() throws.
  Daemon(const Config& config, UniqueFd listener, const rlimit& given_open_files);
  // Recovers running attempts, serves until one of `signals` arrives (blocked in every thread),
  // then shuts the parts down. Jobs keep running.
  void run(const sigset_t& signals);

 private:
  bool is_copy() const { return store_->provenance() == Provenance::copy; }
  // Serves a copied store read-only: starts, ends and changes nothing.
  void look_on(const sigset_t& signals);
  StoreOptions store_options(const Config& config);
  // For tasks from versions that stored no user names: assigns them to the uid's current user.
  void name_owners();
  void keep_clock_point(const TrustedClock::Point& point);
  // After an unclean shutdown, checks the whole database in the background, since damage may lie
  // where nobody reads for now.
  void check_for_damage();
  void serve();
  // Called on the store's writer thread, after each COMMIT.
  void publish(std::span<const Change> changes);

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
  TimerThread timer_thread_;
  Notifier notifier_;
  ApiServer server_;
};

}  // namespace taskd
