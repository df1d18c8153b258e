#include "daemon/store/db/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/base/log.h"
#include "daemon/base/unique_fd.h"

namespace taskd {
namespace {

bool is_allocated(const std::string& path, std::int64_t bytes) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && info.st_size >= bytes && info.st_blocks * 512 >= bytes;
}

void warn(const char* message, const std::string& path, int error) {
  log::warn(message, {{"path", path}, {"error", std::strerror(error)}});
}

}  // namespace

Ballast::Ballast(std::string path, std::int64_t bytes)
    : path_(std::move(path)), bytes_(bytes), in_place_(bytes == 0 || is_allocated(path_, bytes)) {}

bool Ballast::give_up() {
  if (!in_place_ || bytes_ == 0) return false;
  if (::unlink(path_.c_str()) != 0) {
    warn("cannot delete the ballast", path_, errno);
    return false;
  }
  in_place_ = false;
  log::warn("the disk is full: using the ballast to record only ends of attempts",
            {{"path", path_}, {"wanted_bytes", wanted_bytes()}});
  return true;
}

bool Ballast::restore() {
  if (in_place_) return true;
  if (!has_room() || !allocate()) return false;
  in_place_ = true;
  log::info("ballast in place", {{"path", path_}, {"bytes", bytes_}});
  return true;
}

bool Ballast::has_room() const {
  struct statvfs info {};
  const std::string folder = path_.substr(0, path_.find_last_of('/') + 1) + ".";
  if (::statvfs(folder.c_str(), &info) != 0) {
    warn("free space is unknown", path_, errno);
    return false;
  }
  return std::uint64_t{info.f_bavail} * info.f_frsize >= static_cast<std::uint64_t>(wanted_bytes());
}

// posix_fallocate() writes zeros where the file system cannot reserve.
bool Ballast::allocate() const {
  const UniqueFd fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  const int error = fd ? ::posix_fallocate(fd.get(), 0, bytes_) : errno;
  if (error == 0) return true;
  warn("cannot create the ballast", path_, error);
  ::unlink(path_.c_str());  // must not keep a partial file; if it stays, the next try reuses it
  return false;
}

}  // namespace taskd
