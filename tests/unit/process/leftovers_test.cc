#include "daemon/process/leftovers.h"

#include <system_error>

#include "tests/unit/process/fixture.h"

namespace taskd {
namespace {

std::uint64_t start_of(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096).value();
  std::size_t at = stat.rfind(')') + 2;
  for (int field = 3; field < 22; ++field) at = stat.find(' ', at) + 1;
  return std::stoull(stat.substr(at));
}

// A process that leads a session of its own, until it is killed.
pid_t start_leader(int& ready_fd) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::setsid();
    ::close(ends[1]);
    for (;;) ::pause();
  }
  ::close(ends[1]);
  ready_fd = ends[0];
  return pid;
}

TEST_CASE("what became another user's is waited for a while, and then it is said") {
  if (!is_root()) return;
  int ready = -1;
  const pid_t leader = start_leader(ready);
  const UniqueFd in_session(ready);
  // Readable at its end, once the child has closed its own, which is after setsid.
  wait_readable(in_session.get());
  const Marks marks{.token = "", .session = leader, .session_start = start_of(leader)};
  const pid_t other_user = ::fork();
  REQUIRE(other_user >= 0);
  if (other_user == 0) {
    if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(2);
    try {
      kill_leftovers(marks, nullptr);
    } catch (const std::system_error& e) {
      ::_exit(e.code() == std::errc::device_or_resource_busy ? 0 : 3);
    }
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(other_user, &status, 0) == other_user);
  CHECK(status == 0);
  CHECK(::kill(leader, 0) == 0);
  // Who may do it ends it.
  CHECK(kill_leftovers(marks, nullptr));
  CHECK(::waitpid(leader, &status, 0) == leader);
}

}  // namespace
}  // namespace taskd
