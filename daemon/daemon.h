// The daemon: its parts, wired together. Nothing is global.
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

// What every program that opens the store tells it.
StoreOptions basic_options(const Config& config, const Clock& clock);

class Daemon {
 public:
  // Opens the store. `given_open_files` is what jobs get as their limit of open files. The state
  // directory is ready, and this process holds its lock. Throws what TaskStore::open() throws.
  Daemon(const Config& config, UniqueFd listener, const rlimit& given_open_files);
  // Recovers what ran, serves until one of `signals` comes, which are blocked in every thread, and
  // takes the parts down again; jobs go on.
  void run(const sigset_t& signals);

 private:
  bool is_copy() const { return store_->provenance() == Provenance::copy; }
  // Answers who only looks. Nothing is started, ended or changed.
  void look_on(const sigset_t& signals);
  StoreOptions store_options(const Config& config);
  // Of tasks of a version that wrote no names: whoever has the uid now.
  void name_owners();
  void keep_clock_point(const TrustedClock::Point& point);
  // What the daemon before this one left may be damaged where nobody reads for now.
  void check_for_damage();
  void serve();
  // On the store's writer thread, after each COMMIT.
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
