// Runs programs from a test and captures their output. Objects are not thread-safe.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace taskd::test {

// The result of a program.
struct RunResult {
  int exit_code = -1;  // 128 + n for a signal
  std::string out;
  std::string err;
};

struct RunOptions {
  std::map<std::string, std::string> env = {};  // added to the test's own environment
  std::string input = {};                       // given on stdin
  std::string output_file = {};                 // stdout and stderr go here, not into pipes
};

// A terminal for a child's `output_file`. The output must fit into the kernel's buffer.
class Terminal {
 public:
  Terminal(unsigned short rows, unsigned short columns);
  const std::string& path() const { return path_; }
  // Types text at the terminal.
  void type(const std::string& text);
  // Everything written, with lines ending in '
  // ' only. Call once the writers have ended.
  std::string shown();

 private:
  UniqueFd master_;
  std::string path_;
};

// A child with its stdout and stderr in pipes. The destructor kills it (SIGKILL) if it still runs.
class Child {
 public:
  Child(const std::vector<std::string>& argv, const RunOptions& options = {});
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void kill(int signal);
  // Reads until stderr or stdout contains `text`; fails the test if the child ends first.
  void wait_for_output(const std::string& text);
  // Returns true once it has ended (it is not reaped yet), false after `timeout_ms`.
  bool ended_within(int timeout_ms) const;
  // Reads everything to the end and reaps.
  RunResult wait();

 private:
  bool read_some();  // false at the end of both streams

  pid_t pid_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  RunResult result_;
};

RunResult run(const std::vector<std::string>& argv, const RunOptions& options = {});

bool contains(const std::string& text, const std::string& part);

std::string read_text(const std::string& path);  // "" when missing
void write_text(const std::string& path, const std::string& text);

// Blocks until `path` exists (inotify on its folder); gives up with a failed test after a minute.
void wait_for_file(const std::string& path);
// The same, until it does not exist.
void wait_until_gone(const std::string& path);

}  // namespace taskd::test
