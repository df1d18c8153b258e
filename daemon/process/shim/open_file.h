// The only way to open a file in an attempt's folder. A job of the daemon's own user may have put
// anything there: a pipe that blocks its reader, a symbolic link or a device that leads elsewhere,
// a hard link to somebody else's file.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace taskd::shim {

// The errno of open_own_file() if the name belongs to something other than our file.
inline constexpr int kForeignFile = EUCLEAN;

// Opens a regular file that belongs to this process's user and has one name. Follows no symbolic
// link and never blocks. Returns -1 with errno otherwise. `flags` must not create the file: see
// make_own_file().
inline int open_own_file(int folder, const char* name, int flags) {
  const int fd = ::openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) {
    // A link; a directory; a socket, a pipe without a reader, a device without a driver.
    if (errno == ELOOP || errno == EISDIR || errno == ENXIO || errno == ENODEV) {
      errno = kForeignFile;
    }
    return -1;
  }
  struct stat info {};
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink <= 1 &&
      info.st_uid == ::geteuid()) {
    return fd;
  }
  ::close(fd);
  errno = kForeignFile;
  return -1;
}

// Creates a new file. EEXIST if anything has that name.
inline int make_own_file(int folder, const char* name, int flags, mode_t mode) {
  return ::openat(folder, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

}  // namespace taskd::shim
