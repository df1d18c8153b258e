#include <unistd.h>

#include <csignal>

#include "ctl/verbs.h"

int main(int argc, char** argv) {
  using namespace taskd::ctl;
  std::signal(SIGPIPE, SIG_IGN);  // Output tells by its exit code that the reader went away
  const taskd::SystemClock clock;
  Context context{Environment(environ), Output(STDOUT_FILENO), clock};
  return run_taskctl(context, Words(argv + (argc > 0 ? 1 : 0), argv + argc));
}
