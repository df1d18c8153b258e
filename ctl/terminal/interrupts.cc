#include "ctl/terminal/interrupts.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "ctl/base/output.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {
namespace {

sigset_t interrupt_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = interrupt_set();
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) throw_errno("sigprocmask");
  fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) throw_errno("signalfd");
}

Interrupts::~Interrupts() {
  const sigset_t set = interrupt_set();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);  // cannot fail with valid arguments
}

bool Interrupts::wait(int ms) const {
  pollfd ready{fd_.get(), POLLIN, 0};
  return ::poll(&ready, 1, ms) > 0;
}

int Interrupts::take() {
  signalfd_siginfo info;
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return 0;
  return static_cast<int>(info.ssi_signo);
}

Answer ask_on_terminal(const std::string& question, Interrupts& interrupts) {
  if (::isatty(STDIN_FILENO) != 1 && ::isatty(STDERR_FILENO) != 1) return Answer::no_terminal;
  const UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!terminal) return Answer::no_terminal;
  if (write_all(terminal.get(), "\n" + question + " [y/N] ") != 0) return Answer::no_terminal;
  while (true) {
    pollfd fds[] = {{terminal.get(), POLLIN, 0}, {interrupts.fd(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("poll");
    }
    if (fds[1].revents != 0) {
      interrupts.take();
      write_all(terminal.get(), "\n");
      return Answer::yes;
    }
    char line[256];
    const ssize_t length = ::read(terminal.get(), line, sizeof line);
    if (length < 0 && errno == EINTR) continue;
    return length > 0 && (line[0] == 'y' || line[0] == 'Y') ? Answer::yes : Answer::no;
  }
}

}  // namespace taskd::ctl
