#include "daemon/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <memory>

#include "daemon/base/errors.h"

namespace taskd {
namespace {

// Creates one folder whose parent exists.
void make_dir(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno != EEXIST) throw_errno("mkdir " + path);
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) throw_errno("stat " + path);
    if (S_ISDIR(info.st_mode)) return;
    errno = ENOTDIR;
    throw_errno("mkdir " + path);
  }
  // The umask only removed permissions, so nobody could enter before this. Uses a descriptor and
  // follows no links: it is the folder just created, or an error.
  const UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) throw_errno("open " + path);
  if (::fchmod(dir.get(), mode) != 0) throw_errno("chmod " + path);
}

}  // namespace

std::string read_up_to(int fd, std::size_t max_bytes, const std::string& what) {
  std::string content;
  std::array<char, 16 * 1024> buffer;
  while (content.size() < max_bytes) {
    const std::size_t wanted = std::min(buffer.size(), max_bytes - content.size());
    const ssize_t got = ::read(fd, buffer.data(), wanted);
    if (got == 0) break;
    if (got > 0) {
      content.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (errno != EINTR) {
      throw_errno("read " + what);
    }
  }
  return content;
}

std::optional<std::string> read_file_at(int dir_fd, const std::string& name,
                                        std::size_t max_bytes) {
  const UniqueFd fd(::openat(dir_fd, name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno("open " + name);
  }
  return read_up_to(fd.get(), max_bytes, name);
}

std::optional<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  return read_file_at(AT_FDCWD, path, max_bytes);
}

std::vector<std::string> list_folder_at(int dir_fd, const std::string& name) {
  const int fd = ::openat(dir_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return {};
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(fd < 0 ? nullptr : ::fdopendir(fd), ::closedir);
  if (!dir) {
    const UniqueFd unused(fd);
    throw_errno("list folder " + name);
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) names.emplace_back(entry->d_name);
  std::erase_if(names, [](const std::string& entry) { return entry == "." || entry == ".."; });
  return names;
}

void make_dirs(const std::string& path, unsigned mode) {
  for (std::size_t end = path.find('/', 1); end != std::string::npos;
       end = path.find('/', end + 1)) {
    make_dir(path.substr(0, end), mode);
  }
  make_dir(path, mode);
}

void sync_parents(const std::string& path) {
  for (std::size_t end = path.rfind('/'); end != std::string::npos && end > 0;
       end = path.rfind('/', end - 1)) {
    const std::string parent = path.substr(0, end);
    const UniqueFd dir(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return;  // we may not open it, so we did not create it
    if (::fsync(dir.get()) != 0 && errno != EINVAL && errno != EROFS) throw_errno("sync " + parent);
  }
}

std::string read_boot_id() {
  const std::string path = "/proc/sys/kernel/random/boot_id";
  auto id = read_file(path, 64);
  if (!id) {
    errno = ENOENT;
    throw_errno("open " + path);
  }
  while (!id->empty() && id->back() == '\n') id->pop_back();
  return *id;
}

}  // namespace taskd
