#include "tests/support/users.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>

#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"
#include "tests/support/daemon.h"

namespace taskd::test {
namespace {

namespace fs = std::filesystem;

// taskdtest-<pid of the test>-<number>: a later test can tell that this test is gone.
constexpr const char* kPrefix = "taskdtest-";
// Below 65534, since a container may have no more.
constexpr uid_t kFirstUid = 40'000;
constexpr uid_t kLastUid = 59'999;
constexpr int kTries = 20;

// Only one test at a time runs useradd and userdel, because they do not wait for each other for
// long.
class UserDatabaseLock {
 public:
  UserDatabaseLock()
      : fd_(::open("/tmp/taskd-test-users.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (!fd_ || ::flock(fd_.get(), LOCK_EX) != 0) throw_errno("lock the users of tests");
  }

 private:
  UniqueFd fd_;
};

// Programs outside the tests may also hold the database for a moment: exit codes 1 and 10.
void change_users(const std::vector<std::string>& argv) {
  RunResult result;
  for (int i = 0; i < kTries; ++i) {
    result = run(argv);
    if (result.exit_code != 1 && result.exit_code != 10) break;
    ::usleep(200'000);
  }
  REQUIRE_MESSAGE(result.exit_code == 0, argv.front(), " ", argv.back(), ": ", result.err);
}

// Sent as that user, so it reaches no other user's processes.
void end_processes_of(uid_t uid) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setuid(uid) == 0 && ::getuid() == uid && uid != 0) ::kill(-1, SIGKILL);
    ::_exit(0);
  }
  if (child > 0) ::waitpid(child, nullptr, 0);
}

void delete_user(const std::string& name) {
  change_users({"userdel", "--force", name});
}

// Removes users of tests that were killed.
void remove_forgotten_users() {
  std::istringstream entries(read_text("/etc/passwd"));
  for (std::string line; std::getline(entries, line);) {
    if (!line.starts_with(kPrefix)) continue;
    const std::string name = line.substr(0, line.find(':'));
    const std::string pid = name.substr(std::string(kPrefix).size());
    if (fs::exists("/proc/" + pid.substr(0, pid.find('-')))) continue;
    const passwd* entry = ::getpwnam(name.c_str());
    if (entry != nullptr) end_processes_of(entry->pw_uid);
    delete_user(name);
  }
}

uid_t free_uid() {
  const uid_t count = kLastUid - kFirstUid + 1;
  // Tests start at different uids, so that a removed uid is not reused at once.
  const uid_t start = static_cast<uid_t>(::getpid()) * 7 % count;
  for (uid_t i = 0; i < count; ++i) {
    const uid_t uid = kFirstUid + (start + i) % count;
    if (::getpwuid(uid) == nullptr) return uid;
  }
  throw std::runtime_error("all uids for tests are in use");
}

// Other users may not be able to reach the test's programs.
void copy_programs(const std::string& bin) {
  fs::create_directory(bin);
  ::chmod(bin.c_str(), 0755);
  for (const char* name : {"taskctl", "taskd", "taskd-shim"}) {
    const std::string from = std::string(TASKD_BINARY_DIR "/") + name;
    if (!fs::exists(from)) continue;
    fs::copy_file(from, bin + "/" + name);
    ::chmod((bin + "/" + name).c_str(), 0755);
  }
}

}  // namespace

bool can_make_users() {
  if (::geteuid() == 0) return true;
  MESSAGE("skipped: only root can make users");
  return false;
}

SystemUsers::SystemUsers(int count) {
  ::chmod(dir_.path().c_str(), 0755);
  copy_programs(dir_ / "bin");
  for (int i = 0; i < count; ++i) make(0);
}

SystemUsers::~SystemUsers() {
  for (std::size_t i = 0; i < users_.size(); ++i) {
    end_processes_of(users_[i].uid);
    if (!removed_[i]) remove(i);
  }
}

std::size_t SystemUsers::make(uid_t uid) {
  const UserDatabaseLock lock;
  if (users_.empty()) remove_forgotten_users();
  if (uid == 0) uid = free_uid();
  SystemUser user;
  user.uid = uid;
  // Never reuses a removed user's name.
  user.name = kPrefix + std::to_string(::getpid()) + "-" + std::to_string(users_.size());
  while (::getpwnam(user.name.c_str()) != nullptr) user.name += "x";
  user.home = dir_ / user.name;
  // A system user gets no range of subordinate uids, which would have to be removed, too.
  change_users({"useradd", "--system", "--no-log-init", "--no-create-home", "--user-group", "--uid",
                std::to_string(uid), "--home-dir", user.home, "--shell", "/bin/sh", user.name});
  users_.push_back(user);
  removed_.push_back(false);
  const passwd* entry = ::getpwnam(user.name.c_str());
  REQUIRE(entry != nullptr);
  users_.back().gid = entry->pw_gid;
  fs::create_directory(user.home);
  REQUIRE(::chown(user.home.c_str(), uid, entry->pw_gid) == 0);
  return users_.size() - 1;
}

std::vector<std::string> SystemUsers::as(const SystemUser& user,
                                         std::vector<std::string> argv) const {
  const fs::path program = argv.front();
  const std::string copy = dir_ / "bin/" + program.filename().string();
  if (program.parent_path() == TASKD_BINARY_DIR && fs::exists(copy)) argv.front() = copy;
  std::vector<std::string> whole = {"setpriv",
                                    "--reuid=" + std::to_string(user.uid),
                                    "--regid=" + std::to_string(user.gid),
                                    "--init-groups",
                                    "--inh-caps=-all",
                                    "env",
                                    "--chdir=" + user.home,
                                    "HOME=" + user.home,
                                    "USER=" + user.name,
                                    "LOGNAME=" + user.name};
  whole.insert(whole.end(), argv.begin(), argv.end());
  return whole;
}

RunResult SystemUsers::run(const SystemUser& user, const std::vector<std::string>& argv,
                           const RunOptions& options) const {
  return test::run(as(user, argv), options);
}

void SystemUsers::remove(std::size_t index) {
  const UserDatabaseLock lock;
  delete_user(users_.at(index).name);
  removed_.at(index) = true;
}

std::size_t SystemUsers::reuse_uid(std::size_t index) {
  REQUIRE(removed_.at(index));
  return make(users_.at(index).uid);
}

}  // namespace taskd::test
