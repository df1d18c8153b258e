// How taskctl ends. The codes are those of sysexits.h; the man page lists them under EXIT STATUS.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>

namespace taskd::ctl {

enum ExitCode : int {
  kExitOk = 0,
  kExitSomeFailed = 1,    // several tasks were waited for and not all succeeded; a doctor's `fail`
  kExitUsage = 64,        // the command line is wrong
  kExitBadData = 65,      // the daemon (or we) refused what the options say
  kExitNoSuchTask = 66,   // no task of this id, or nothing of the name the verb is about
  kExitNoDaemon = 69,     // nobody answers at the socket, or the daemon is not installed
  kExitInternal = 70,     // a bug, here or in the daemon
  kExitConflict = 73,     // refused: wrong state, in use, there already, or the disk is full
  kExitOutput = 74,       // stdout cannot be written
  kExitTryLater = 75,     // timed out, queue full or drained, daemon stopping, the machine is full
  kExitBadAnswer = 76,    // what answered does not speak the API
  kExitNotAllowed = 77,   // permission
  kExitBadConfig = 78,    // a TASKD_… variable cannot be used
  kExitTimedOut = 124,    // a job's timeout, as timeout(1) has it
  kExitNoResult = 125,    // the job has no exit code: cancelled, lost, or it never ran
  kExitClosedPipe = 141,  // our reader went away: 128 + SIGPIPE
};

// Whether this errno says that the machine has no room just now: trying again may help, and the
// command line is not to blame.
inline bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == EAGAIN ||
         error == ENOBUFS;
}
// The exit code of a failed system call: 75 for a shortage.
inline int exit_code_of_errno(int error, int otherwise) {
  return is_shortage(error) ? kExitTryLater : otherwise;
}

// The verb cannot go on. what() is a sentence for stderr; empty: end without a word.
struct Failure : std::runtime_error {
  Failure(int code, const std::string& what) : std::runtime_error(what), exit_code(code) {}
  int exit_code;
};

}  // namespace taskd::ctl
