// A fixed number of workers. Each is one thread with a simple loop: claim, launch, wait, report.
// Reporting an end and claiming the next task share a commit. Work wakes them; nothing polls.
//
// Threading: start() and stop() from one thread; idle() as documented there. The store, the
// launcher, the running set, the progress board and the handlers must outlive the pool.
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/event_fd.h"
#include "daemon/base/mutex.h"
#include "daemon/engine/idle_workers.h"
#include "daemon/engine/progress_board.h"
#include "daemon/engine/recovery.h"
#include "daemon/engine/running_set.h"
#include "daemon/engine/start_failure_log.h"
#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"
#include "daemon/task/handler.h"

namespace taskd {

class WorkerPool {
 public:
  // `on_fatal` is called with an exception that leaves no way to continue; it must not return.
  WorkerPool(TaskStore& store, Launcher& launcher, RunningSet& running, const Clock& clock,
             ProgressBoard& progress, const Handlers& handlers, int workers,
             std::function<void(const std::string&)> on_fatal);
  ~WorkerPool();

  // Adopted attempts take the first workers. If there are more of them than workers, each still
  // gets a thread; surplus threads end with their attempts before anything new is claimed.
  void start(std::vector<Adopted> adopted);

  // Where idle workers wait for tasks that the store's commits let start.
  IdleWorkers& idle() { return idle_; }

  // Stops claiming and leaves running attempts to the next daemon. Returns when every worker thread
  // has ended. That waits for no job, except for a killed process that the kernel has not ended yet
  // (the service manager's stop timeout covers that).
  void stop();

  int total() const { return workers_; }

 private:
  void run(std::optional<Adopted> adopted);
  void work(std::optional<Adopted> adopted);
  // Returns true if more threads run than there are workers: the caller must end.
  bool leave_if_surplus();
  // Blocks until there is a claim; nothing when stopping.
  std::optional<Claim> next_claim();
  // Launches and waits. Nothing if the pool stops first.
  std::optional<Finish> execute(const Claim& claim);
  std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> launch(const Claim& claim);
  std::optional<Finish> supervise(const Claim& claim, LiveAttempt& live);
  void log_refusal(const Claim& claim, const Outcome& outcome);
  // Waits until the attempt has ended or the pool stops. Stops an attempt that fails to report its
  // progress in time.
  void wait_for_end(const Claim& claim, LiveAttempt& live, pollfd (&fds)[2]);
  std::optional<AttemptEnd> reap(const Claim& claim, LiveAttempt& live);
  // Reports the end durably and claims the next task.
  std::optional<Claim> report(const Finish& finish, int claim_limit);
  // Returns false if the pool stops first.
  bool pause(int ms) const;

  TaskStore& store_;
  Launcher& launcher_;
  RunningSet& running_;
  const Clock& clock_;
  ProgressBoard& progress_;
  const Handlers& handlers_;
  const int workers_;
  const std::function<void(const std::string&)> on_fatal_;
  EventFd stop_event_;  // readable once stopping
  StartFailureLog refusals_;
  IdleWorkers idle_;

  Mutex mutex_;
  std::size_t surplus_ TASKD_GUARDED_BY(mutex_) = 0;  // threads beyond the fixed number
  std::vector<std::thread> threads_;
};

}  // namespace taskd
