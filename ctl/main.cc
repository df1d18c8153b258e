#include <unistd.h>

#include <csignal>

#include "ctl/base/failure.h"
#include "ctl/commands/verbs.h"
#include "daemon/base/standard_fds.h"

int main(int argc, char** argv) {
  using namespace taskd::ctl;
  // There is no way to report it.
  if (taskd::open_missing_standard_fds() != 0) return kExitTryLater;
  std::signal(SIGPIPE, SIG_IGN);  // Output reports by its exit code that the reader is gone
  const taskd::SystemClock clock;
  Context context{Environment(environ), Output(STDOUT_FILENO), clock};
  return run_taskctl(context, Words(argv + (argc > 0 ? 1 : 0), argv + argc));
}
