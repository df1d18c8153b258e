// System users, created for one test and removed after it. Requires root. Objects are not
// thread-safe; tests that run at the same time do not disturb each other.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace taskd::test {

// True for root. Otherwise says that the test is skipped. Begin a test with: if (!can_make_users())
// return;
bool can_make_users();

struct SystemUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;  // of a group with the user's name and no other members
  std::string home;
};

// The destructor ends the users' processes and removes the users. If a test is killed, the next
// test that creates users removes its users.
class SystemUsers {
 public:
  explicit SystemUsers(int count);
  ~SystemUsers();
  SystemUsers(const SystemUsers&) = delete;
  SystemUsers& operator=(const SystemUsers&) = delete;

  const SystemUser& operator[](std::size_t index) const { return users_.at(index); }

  // The command line that runs `argv` as the user: with the user's groups, HOME, USER and LOGNAME,
  // in the user's home. taskctl, taskd and taskd-shim are copies that every user can reach.
  std::vector<std::string> as(const SystemUser& user, std::vector<std::string> argv) const;
  // Runs it. To ask a TestDaemon: run(user, {taskctl_path(), "list"}, daemon.with_socket()).
  RunResult run(const SystemUser& user, const std::vector<std::string>& argv,
                const RunOptions& options = {}) const;

  // Deletes the user as an administrator would; the home stays. operator[] still returns the user's
  // data.
  void remove(std::size_t index);
  // Creates another user with another name and the uid of a removed one. Returns its index.
  std::size_t reuse_uid(std::size_t index);

 private:
  std::size_t make(uid_t uid);  // 0: any free one

  TempDir dir_;  // the homes, and bin/
  std::vector<SystemUser> users_;
  std::vector<bool> removed_;
};

}  // namespace taskd::test
