#include "daemon/process/remove_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <string>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/unique_fd.h"

namespace taskd {
namespace {

// Each level keeps a descriptor open. What lies deeper is moved up first.
constexpr int kMaxDepth = 32;

std::int64_t bytes_on_disk(const struct stat& info) {
  constexpr std::int64_t kBlockBytes = 512;  // whatever the file system's are
  return info.st_nlink <= 1 ? info.st_blocks * kBlockBytes : 0;
}

// Opens the entry if it is on the folder's own file system. At a mount point the kernel says EXDEV
// without asking what is mounted there, which may be a FUSE program that never answers.
UniqueFd open_here(int folder_fd, const char* name, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_NO_XDEV;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, folder_fd, name, &how, sizeof how)));
  // The seccomp filters of older containers refuse what they do not know.
  if (!fd && (errno == ENOSYS || errno == EPERM)) {
    fd.reset(::openat(folder_fd, name, flags | O_NOFOLLOW | O_CLOEXEC));
  }
  return fd;
}

UniqueFd open_subfolder(int folder_fd, const char* name) {
  UniqueFd fd = open_here(folder_fd, name, O_RDONLY | O_DIRECTORY);
  // A job may have closed its folder to its own user, which is ours.
  if (!fd && errno == EACCES && ::fchmodat(folder_fd, name, 0700, 0) == 0) {
    fd = open_here(folder_fd, name, O_RDONLY | O_DIRECTORY);
  }
  if (!fd) throw_errno(std::string("open ") + name);
  return fd;
}

class TreeRemoval {
 public:
  explicit TreeRemoval(int top_fd) : top_fd_(top_fd) {}

  void remove(int folder_fd, const char* name, int depth) {
    const UniqueFd entry = open_here(folder_fd, name, O_PATH);
    if (!entry && errno == ENOENT) return;
    struct stat info {};
    if (!entry || ::fstat(entry.get(), &info) != 0) throw_errno(std::string("look at ") + name);
    if (!S_ISDIR(info.st_mode)) {
      bytes_ += bytes_on_disk(info);
      unlink(folder_fd, name, 0);
      return;
    }
    if (depth == kMaxDepth) {
      move_up(folder_fd, name);
      return;
    }
    {
      const UniqueFd folder = open_subfolder(folder_fd, name);
      for (const std::string& inner : list_folder_at(folder.get(), ".")) {
        remove(folder.get(), inner.c_str(), depth + 1);
      }
    }
    unlink(folder_fd, name, AT_REMOVEDIR);
  }

  // What was moved up meanwhile; "" when nothing is left.
  std::string next_moved() { return removed_ < moved_ ? moved_name(removed_++) : ""; }
  std::int64_t bytes() const { return bytes_; }

 private:
  static std::string moved_name(int number) { return ".removing-" + std::to_string(number); }

  static void unlink(int folder_fd, const char* name, int flags) {
    if (::unlinkat(folder_fd, name, flags) == 0 || errno == ENOENT) return;
    if (errno != EACCES || ::fchmod(folder_fd, 0700) != 0 ||
        ::unlinkat(folder_fd, name, flags) != 0) {
      throw_errno(std::string("remove ") + name);
    }
  }

  void move_up(int folder_fd, const char* name) {
    for (;;) {
      const std::string up = moved_name(moved_++);
      if (::renameat2(folder_fd, name, top_fd_, up.c_str(), RENAME_NOREPLACE) == 0) return;
      if (errno != EEXIST) throw_errno(std::string("move up ") + name);
    }
  }

  const int top_fd_;
  int moved_ = 0;
  int removed_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace

std::int64_t remove_tree_at(int folder_fd, const char* name) {
  TreeRemoval removal(folder_fd);
  removal.remove(folder_fd, name, 0);
  for (std::string moved = removal.next_moved(); !moved.empty(); moved = removal.next_moved()) {
    removal.remove(folder_fd, moved.c_str(), 0);
  }
  return removal.bytes();
}

}  // namespace taskd
