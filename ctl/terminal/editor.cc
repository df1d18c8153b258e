#include "ctl/terminal/editor.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "ctl/base/failure.h"
#include "ctl/base/output.h"
#include "ctl/options/text_input.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/base/unique_fd.h"

namespace taskd::ctl {
namespace {

constexpr std::string_view kSuffix = ".jsonc";  // editors that know it highlight JSON with comments
constexpr std::size_t kMaxTextBytes = std::size_t{4} << 20;
constexpr int kNotStarted = 126;  // 126 and 127 are the shell's codes for this

const char* not_empty(const char* value) {
  return value != nullptr && *value != '\0' ? value : nullptr;
}

std::string editor_of(const Context& context) {
  for (const char* variable : {"VISUAL", "EDITOR"}) {
    if (const char* const editor = not_empty(context.env.get(variable))) return editor;
  }
  return "vi";
}

class KeyboardSignalsIgnored {
 public:
  KeyboardSignalsIgnored()
      : interrupt_(std::signal(SIGINT, SIG_IGN)), quit_(std::signal(SIGQUIT, SIG_IGN)) {}
  ~KeyboardSignalsIgnored() {
    std::signal(SIGINT, interrupt_);
    std::signal(SIGQUIT, quit_);
  }
  KeyboardSignalsIgnored(const KeyboardSignalsIgnored&) = delete;
  KeyboardSignalsIgnored& operator=(const KeyboardSignalsIgnored&) = delete;

 private:
  using Handler = void (*)(int);
  Handler interrupt_;
  Handler quit_;
};

}  // namespace

EditedFile::EditedFile(const Context& context, const std::string& text) {
  const char* const folder = not_empty(context.env.get("TMPDIR"));
  path_ = std::string(folder != nullptr ? folder : "/tmp") + "/taskctl-XXXXXX";
  path_ += kSuffix;
  const UniqueFd fd(::mkostemps(path_.data(), kSuffix.size(), O_CLOEXEC));
  const int error = fd ? write_all(fd.get(), text) : errno;
  if (error != 0)
    throw Failure(exit_code_of_errno(error, kExitOutput),
                  "cannot write " + escape_for_humans(path_) + ": " + std::strerror(error));
}

EditedFile::~EditedFile() {
  if (!keep_) ::unlink(path_.c_str());
}

void EditedFile::edit(const Context& context) const {
  const std::string editor = editor_of(context);
  const std::string line = editor + " \"$1\"";  // the variable may hold options
  const char* const argv[] = {"sh", "-c", line.c_str(), "sh", path_.c_str(), nullptr};
  // The editor handles the keyboard's signals itself.
  const KeyboardSignalsIgnored ignored;
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t usual;
  sigemptyset(&usual);
  for (const int signal : {SIGINT, SIGQUIT, SIGPIPE}) sigaddset(&usual, signal);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, "/bin/sh", nullptr, &attributes, const_cast<char**>(argv),
                                  const_cast<char**>(context.env.entries()));
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    throw Failure(exit_code_of_errno(error, kExitBadConfig),
                  std::string("cannot run /bin/sh: ") + std::strerror(error));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("waitpid");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  const std::string name = "the editor \"" + escape_for_humans(editor) + "\"";
  if (WIFEXITED(status) && WEXITSTATUS(status) >= kNotStarted)
    throw Failure(kExitBadConfig, name + " cannot be started; name one with VISUAL or EDITOR");
  throw Failure(kExitOutput, name + " failed; nothing was changed");
}

std::string EditedFile::text() const {
  return read_text(path_, kMaxTextBytes, escape_for_humans(path_));
}

}  // namespace taskd::ctl
