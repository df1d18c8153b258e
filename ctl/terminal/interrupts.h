// SIGINT and SIGTERM as something to poll for, and the question they lead to.
#pragma once

#include <string>

#include "daemon/base/unique_fd.h"

namespace taskd::ctl {

// From its construction on the two signals no longer end the process, until its destruction.
class Interrupts {
 public:
  Interrupts();   // throws std::system_error
  ~Interrupts();  // an interrupt that came and was not taken ends the process now
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  int fd() const { return fd_.get(); }  // readable when one has come
  // Waits for one, at most `ms`. True when one has come.
  bool wait(int ms) const;
  // The signal that came, or 0.
  int take();

 private:
  UniqueFd fd_;
};

// Asks on the terminal of this process. `yes` also when another interrupt comes instead of an
// answer; `no_terminal` when there is nobody to ask.
enum class Answer { yes, no, no_terminal };
Answer ask_on_terminal(const std::string& question, Interrupts& interrupts);

}  // namespace taskd::ctl
