#include "daemon/process/job_folder.h"

#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <atomic>
#include <optional>

#include "daemon/base/errors.h"
#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/process/attempt_folder.h"
#include "daemon/process/remove_tree.h"

namespace taskd {
namespace {

constexpr int kPathFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string attempt_name(TaskId task, int number) {
  return std::to_string(task) + "." + std::to_string(number);
}

UniqueFd open_or_make(int dir_fd, const std::string& name) {
  if (::mkdirat(dir_fd, name.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno("make the folder of a user's job files");
  }
  UniqueFd fd(::openat(dir_fd, name.c_str(), kPathFlags));
  if (!fd) throw_errno("open the folder of a user's job files");
  return fd;
}

struct AccessList {
  posix_acl_xattr_header header{.a_version = POSIX_ACL_XATTR_VERSION};
  posix_acl_xattr_entry entries[5];
};

void tell_missing_lists() {
  static std::atomic<bool> told{false};
  if (told.exchange(true)) return;
  log::warn(
      "the file system has no access control lists: members of a user's primary group can "
      "read the files that his jobs are given");
}

// Once it is set the group's bits show it.
void let_pass(int folder_fd, const User& user) {
  struct stat info {};
  if (::fstat(folder_fd, &info) != 0) throw_errno("look at the folder of a user's job files");
  if ((info.st_mode & S_IRWXG) != 0) return;
  constexpr auto kNobody = static_cast<std::uint32_t>(ACL_UNDEFINED_ID);
  const AccessList list{.entries = {{ACL_USER_OBJ, ACL_READ | ACL_WRITE | ACL_EXECUTE, kNobody},
                                    {ACL_USER, ACL_EXECUTE, user.uid},
                                    {ACL_GROUP_OBJ, 0, kNobody},
                                    {ACL_MASK, ACL_EXECUTE, kNobody},
                                    {ACL_OTHER, 0, kNobody}}};
  if (::fsetxattr(folder_fd, "system.posix_acl_access", &list, sizeof list, 0) == 0) return;
  if (errno != EOPNOTSUPP) throw_errno("let a user pass to the files of his jobs");
  tell_missing_lists();
  if (::fchown(folder_fd, static_cast<uid_t>(-1), user.gid) != 0 ||
      ::fchmod(folder_fd, 0710) != 0) {
    throw_errno("let a user pass to the files of his jobs");
  }
}

std::optional<uid_t> owner_of(int attempt_fd) {
  char text[24];
  const ssize_t n = ::readlinkat(attempt_fd, kOwnerLink, text, sizeof text);
  if (n < 0) return std::nullopt;  // none, or something that is no link
  const auto uid = parse_int(std::string_view(text, static_cast<std::size_t>(n)));
  if (!uid || *uid < 0 || *uid > static_cast<std::int64_t>(static_cast<uid_t>(-1))) {
    return std::nullopt;
  }
  return static_cast<uid_t>(*uid);
}

}  // namespace

std::string job_folder_name(uid_t uid, TaskId task, int number) {
  return std::to_string(uid) + "/" + attempt_name(task, number);
}

UniqueFd make_job_folder(int jobs_fd, int attempt_fd, const User& user, TaskId task, int number) {
  const std::string uid = std::to_string(user.uid);
  const UniqueFd users = open_or_make(jobs_fd, uid);
  let_pass(users.get(), user);
  const std::string name = attempt_name(task, number);
  // Of an earlier start of the same attempt that came to nothing.
  if (::mkdirat(users.get(), name.c_str(), 0700) != 0 && errno == EEXIST) {
    remove_tree_at(users.get(), name.c_str());
  }
  if (::symlinkat(uid.c_str(), attempt_fd, kOwnerLink) != 0) {
    throw_errno("note whose the attempt's files are");
  }
  UniqueFd folder = open_or_make(users.get(), name);
  if (::fchmod(folder.get(), 0711) != 0) throw_errno("open the folder of a job's files");
  return folder;
}

void remove_job_folder(int jobs_fd, int attempt_fd, TaskId task, int number) {
  const std::optional<uid_t> uid = owner_of(attempt_fd);
  if (!uid) return;
  const UniqueFd users(::openat(jobs_fd, std::to_string(*uid).c_str(), kPathFlags));
  if (users) remove_tree_at(users.get(), attempt_name(task, number).c_str());
}

}  // namespace taskd
