#include "ctl/commands/boot_units.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <vector>

#include "ctl/net/client.h"
#include "daemon/base/unique_fd.h"

namespace taskd::ctl {
namespace {

constexpr int kSystemctlTimeoutMs = 5000;
constexpr std::size_t kMaxAnswerBytes = 256;

// Runs the command with its stdout in `out`; -1: it cannot start.
pid_t start(const std::vector<const char*>& argv, int out, const Environment& env) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, argv[0], &actions, nullptr, const_cast<char**>(argv.data()),
                     const_cast<char**>(env.entries()));
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -1;
}

// All of its output, if it ends in time.
std::string read_to_end(int fd) {
  std::string text;
  char buffer[kMaxAnswerBytes];
  for (;;) {
    pollfd slot{fd, POLLIN, 0};
    const int ready = ::poll(&slot, 1, kSystemctlTimeoutMs);
    if (ready < 0 && errno == EINTR) continue;
    const ssize_t n = ready > 0 ? ::read(fd, buffer, sizeof buffer) : -1;
    if (n < 0 && ready > 0 && errno == EINTR) continue;
    if (n < 0 || text.size() > kMaxAnswerBytes) return "";
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace

std::optional<Manager> manager_of(const std::string& socket, const Environment& env) {
  if (::access("/run/systemd/system", F_OK) != 0) return std::nullopt;  // as sd_booted(3)
  if (socket == kSystemSocket) return Manager::system;
  const char* const folder = env.get("XDG_RUNTIME_DIR");
  if (folder != nullptr && socket == std::string(folder) + "/taskctl/taskctl.sock")
    return Manager::user;
  return std::nullopt;
}

std::string enablement_of(Manager manager, const std::string& unit, const Environment& env) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "";
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  std::vector<const char*> argv = {"systemctl"};
  if (manager == Manager::user) argv.push_back("--user");
  argv.insert(argv.end(), {"is-enabled", unit.c_str(), nullptr});
  const pid_t pid = start(argv, writer.get(), env);
  writer.reset();
  if (pid < 0) return "";
  std::string answer = read_to_end(reader.get());
  if (answer.empty()) ::kill(pid, SIGKILL);  // hung, or ended already
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  answer.resize(answer.find_last_not_of('\n') + 1);
  return answer;
}

}  // namespace taskd::ctl
