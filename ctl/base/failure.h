// How taskctl ends. The codes are those of sysexits.h; the man page lists them under EXIT STATUS.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>

namespace taskd::ctl {

enum ExitCode : int {
  kExitOk = 0,
  kExitSomeFailed = 1,   // not all of several tasks succeeded; a `fail` of doctor
  kExitUsage = 64,       // the command line is wrong
  kExitBadData = 65,     // the daemon (or taskctl) rejected the options' values
  kExitNoSuchTask = 66,  // no task with this id, or nothing with the given name
  kExitNoDaemon = 69,    // no daemon listens on the socket, or none is installed
  kExitInternal = 70,    // a bug, here or in the daemon
  kExitConflict = 73,    // refused: wrong state, in use, exists already, or the disk is full
  kExitOutput = 74,      // stdout cannot be written
  // Timed out, queue full or draining, daemon stopping, machine out of resources.
  kExitTryLater = 75,
  kExitBadAnswer = 76,    // the peer does not speak the API
  kExitNotAllowed = 77,   // permission
  kExitBadConfig = 78,    // a TASKD_… variable is invalid
  kExitTimedOut = 124,    // the job timed out, as with timeout(1)
  kExitNoResult = 125,    // the job has no exit code: it was cancelled or lost, or never ran
  kExitClosedPipe = 141,  // the reader of our output is gone: 128 + SIGPIPE
};

// Whether this errno is a temporary shortage of the machine: trying again may help, and the command
// line is not at fault.
inline bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == EAGAIN ||
         error == ENOBUFS;
}
// The exit code of a failed system call: 75 for a shortage.
inline int exit_code_of_errno(int error, int otherwise) {
  return is_shortage(error) ? kExitTryLater : otherwise;
}

// Ends the verb. what() is a sentence for stderr; empty: print nothing.
struct Failure : std::runtime_error {
  Failure(int code, const std::string& what) : std::runtime_error(what), exit_code(code) {}
  int exit_code;
};

}  // namespace taskd::ctl
