#include "daemon/store/db/files.h"

#include <fcntl.h>
#include <sys/statfs.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstring>

#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"
#include "daemon/store/db/ballast.h"
#include "daemon/store/db/identity.h"

namespace taskd {
namespace {

constexpr mode_t kOthers = 077;

// Uses O_PATH: closing another descriptor of the database would drop the locks that SQLite holds on
// it anywhere in this process.
void secure(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    throw UsageError(EX_CANTCREAT, "Cannot read " + path + ": " + std::strerror(errno) + ".");
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw_errno("look at " + path);
  if (S_ISLNK(info.st_mode)) {
    throw UsageError(EX_DATAERR, path +
                                     " is a symbolic link. A store's files must be in its own "
                                     "folder: name the folder that the link points to.");
  }
  if (!S_ISREG(info.st_mode)) {
    throw UsageError(EX_DATAERR, path + " is not a regular file, so it cannot be part of a store.");
  }
  if (info.st_nlink > 1) {
    throw UsageError(EX_DATAERR, path +
                                     " is a hard link: the same file has another name. Two daemons "
                                     "could use it at once, and tasks would be lost. Remove the "
                                     "other name.");
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    throw UsageError(EX_CONFIG, path + " belongs to another user (uid " +
                                    std::to_string(info.st_uid) +
                                    "), who could read and change every task: chown it.");
  }
  if ((info.st_mode & kOthers) == 0) return;
  const std::string through = "/proc/self/fd/" + std::to_string(fd.get());
  if (::chmod(through.c_str(), info.st_mode & 07777 & ~kOthers) != 0) {
    throw UsageError(EX_CANTCREAT, "Other users may open " + path +
                                       ", and its mode cannot be changed: " +
                                       std::strerror(errno) + ".");
  }
}

bool has_content(const std::string& path) {
  return size_of(path) > 0;
}

}  // namespace

std::int64_t size_of(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

void secure_store_files(const std::string& database) {
  for (const std::string& suffix : {std::string(), std::string("-wal"), std::string("-shm"),
                                    std::string(kBallastSuffix), mark_path("")}) {
    secure(database + suffix);
  }
}

void refuse_lost_database(const std::string& database, TaskId folder_task) {
  if (has_content(database)) return;
  struct stat info {};
  const bool exists = ::lstat(database.c_str(), &info) == 0;
  refuse_new_database(database, folder_task, exists ? "is empty" : "is missing");
}

void refuse_new_database(const std::string& database, TaskId folder_task, const std::string& why) {
  std::string left;
  if (has_content(database + "-wal")) {
    left = database + "-wal holds acknowledged tasks";
  } else if (has_content(mark_path(database))) {
    left = mark_path(database) + " shows that a store was here";
  } else if (folder_task > 0) {
    left = "the folder attempts has files of task " + std::to_string(folder_task);
  } else {
    return;
  }
  throw UsageError(EX_DATAERR, "The database " + database + " " + why + ", but " + left +
                                   ". Nothing was changed. Restore the database from a backup, or "
                                   "move the whole folder away to start over.");
}

bool has_wal(const std::string& database) {
  return has_content(database + "-wal");
}

std::string_view unsafe_filesystem(long magic) {
  switch (static_cast<unsigned long>(magic) & 0xffffffffUL) {
    case 0x00006969:
      return "NFS";
    case 0xff534d42:
    case 0xfe534d42:
    case 0x0000517b:
      return "SMB/CIFS";
    case 0x65735546:
      return "FUSE";
    case 0x01021997:
      return "9P";
    case 0x00c36400:
      return "Ceph";
    case 0x5346414f:
    case 0x6b414653:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x0bd00bd0:
      return "Lustre";
    case 0x47504653:
      return "GPFS";
    case 0x19830326:
      return "BeeGFS";
    case 0x20030528:
      return "OrangeFS";
    case 0x786f4256:
      return "a VirtualBox shared folder";
    default:
      return "";
  }
}

void refuse_unsafe_filesystem(const std::string& path) {
  struct statfs info {};
  std::string existing = path;
  while (::statfs(existing.c_str(), &info) != 0) {
    const std::size_t slash = existing.rfind('/');
    if (errno != ENOENT || existing == "/" || slash == std::string::npos) return;
    existing.resize(slash == 0 ? 1 : slash);
  }
  const std::string_view name = unsafe_filesystem(static_cast<long>(info.f_type));
  if (name.empty()) return;
  throw UsageError(EX_CONFIG, path + " lies on " + std::string(name) +
                                  ". A store needs file locks and shared memory, which work there "
                                  "only by luck, and tasks would be lost. Name a folder on a local "
                                  "disk (setting: state_dir).");
}

StoreFiles::Place StoreFiles::place_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) throw_errno("look at " + path);
  return {path, info.st_dev, info.st_ino};
}

StoreFiles::StoreFiles(const std::string& database)
    : database_(place_of(database)), wal_(place_of(database + "-wal")) {}

bool StoreFiles::is_in_place(const Place& place) {
  struct stat info {};
  return ::stat(place.path.c_str(), &info) == 0 && info.st_dev == place.device &&
         info.st_ino == place.inode;
}

std::string StoreFiles::what_is_lost() const {
  for (const Place* place : {&database_, &wal_}) {
    if (!is_in_place(*place)) return place->path;
  }
  return "";
}

}  // namespace taskd
