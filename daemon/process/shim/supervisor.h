// Runs one command to its end: starts it, moves its output, forwards signals, and stops its
// processes on request, at the timeout, and when only stragglers are left. Single-threaded;
// everything is an event in one poll().
//
// It ends only when the kernel confirms that all processes are dead: waitpid() returns ECHILD and
// the cgroup, if any, is empty.
#pragma once

#include <poll.h>
#include <sys/signalfd.h>

#include "daemon/process/shim/cgroup.h"
#include "daemon/process/shim/command.h"
#include "daemon/process/shim/output_file.h"
#include "daemon/process/shim/output_order.h"
#include "daemon/process/shim/result.h"
#include "daemon/process/shim/status.h"

namespace taskd::shim {

class Supervisor {
 public:
  // All signals must be blocked. `spec` must outlive this object.
  explicit Supervisor(const Spec& spec);

  End run();
  // Call afterwards: stores the job's result where the daemon finds it. Returns the word for the
  // status.
  std::string_view keep_result(bool durable) { return result_.keep(durable); }

 private:
  // A tree is stopped once; later events only continue that.
  enum class Phase { running, terminating, killing };

  Failure start();
  void turn();
  void on_signals();
  void reap();
  void on_timer();
  void obey(int order);
  void on_term(const signalfd_siginfo& info);
  void begin_stop(std::string_view outcome);
  void kill_tree();
  void arm_timer(std::int64_t ms, std::int64_t interval_ms);
  void pump(pollfd& slot, Fd& pipe, OutputFile& file);
  void drain(Fd& pipe, OutputFile& file);
  End how_it_ended() const;

  const Spec& spec_;
  Cgroup cgroup_;
  Fd signals_;
  Fd timer_;
  Command command_;
  OutputFile out_;
  OutputFile err_;
  Result result_;
  Stopper stopper_;
  OutputOrder order_;
  Phase phase_ = Phase::running;
  std::string_view stop_outcome_;  // why it was stopped; empty: it ended by itself
  const char* stop_step_ = "";     // details of the stop
  int wait_status_ = 0;
  bool command_ended_ = false;
  bool no_children_ = false;
  bool tree_gone_ = false;
};

}  // namespace taskd::shim
