// SIGINT and SIGTERM as events for poll(), and the question that follows.
#pragma once

#include <string>

#include "daemon/base/unique_fd.h"

namespace taskd::ctl {

// While this object exists, the two signals do not end the process.
class Interrupts {
 public:
  Interrupts();   // throws std::system_error
  ~Interrupts();  // a signal that arrived and was not taken ends the process now
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  int fd() const { return fd_.get(); }  // readable when one has arrived
  // Waits for one, at most `ms`. Returns true if one has arrived.
  bool wait(int ms) const;
  // The signal that arrived, or 0.
  int take();

 private:
  UniqueFd fd_;
};

// Asks on the controlling terminal. `yes` also if another interrupt arrives instead of an answer;
// `no_terminal` if there is none.
enum class Answer { yes, no, no_terminal };
Answer ask_on_terminal(const std::string& question, Interrupts& interrupts);

}  // namespace taskd::ctl
