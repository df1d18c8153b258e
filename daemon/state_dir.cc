#include "daemon/state_dir.h"

#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/config/file_permissions.h"
#include "daemon/store/db/files.h"
#include "daemon/store/task_store.h"

namespace taskd {
namespace {

// Whoever may write there can give the daemon any task for any user.
void check_state_dir(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    throw UsageError(EX_CANTCREAT, "cannot read " + path + ": " + std::strerror(errno));
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    throw UsageError(EX_CONFIG, "the state directory " + path + " belongs to another user (uid " +
                                    std::to_string(info.st_uid) +
                                    "), who could change every task: chown it, or name another "
                                    "(setting: state_dir)");
  }
  if (const auto why = who_may_change(path))
    throw UsageError(EX_CONFIG, "the state directory is not safe: " + *why);
}

// Jobs of other users reach their input files through it (process/job_folder.h). Nothing else in it
// is accessible to them.
void let_jobs_pass(const std::string& path) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IXOTH) != 0) return;
  if (::chmod(path.c_str(), (info.st_mode & 07777) | S_IXGRP | S_IXOTH) == 0) {
    log::info("other users may now pass through the state directory, as their jobs need to",
              {{"path", path}});
  } else {
    log::warn("jobs of other users cannot read their input files",
              {{"path", path}, {"error", std::strerror(errno)}});
  }
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

void refuse_missing_store(const Config& config) {
  if (config.default_state_dir) return;
  const std::string database = database_in(config.state_dir);
  for (const std::string& left : {database, database + "-wal", mark_path(database)}) {
    if (exists(left)) return;
  }
  throw UsageError(
      EX_NOINPUT,
      "there is no store in " + config.state_dir +
          ". If it is on a disk that is not mounted, mount the disk. To create an empty "
          "store there: taskctl daemon --init --state-dir " +
          config.state_dir);
}

}  // namespace

std::string database_in(const std::string& state_dir) {
  return state_dir + "/taskctl.db";
}

std::string attempts_in(const std::string& state_dir) {
  return state_dir + "/attempts";
}

void make_folder(const std::string& path, unsigned mode) {
  try {
    make_dirs(path, mode);
  } catch (const std::system_error& e) {
    throw UsageError(EX_CANTCREAT, std::string("cannot create a folder: ") + e.what());
  }
}

void check_place(const Config& config) {
  refuse_unsafe_filesystem(config.state_dir);
  refuse_unsafe_filesystem(attempts_in(config.state_dir));
  if (exists(config.state_dir)) check_state_dir(config.state_dir);
}

void prepare_state_dir(const Config& config, Mode mode) {
  if (mode != Mode::init) refuse_missing_store(config);
  make_folder(config.state_dir, ::geteuid() == 0 ? 0711 : 0700);
  check_state_dir(config.state_dir);
  let_jobs_pass(config.state_dir);
  // On a first start: durable data must not lie in a folder that could be lost.
  sync_parents(config.state_dir);
}

void refuse_shared_attempts(const std::string& attempts_dir) {
  struct stat info {};
  if (::lstat(attempts_dir.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) return;
  throw UsageError(EX_CONFIG, attempts_dir +
                                  " is a symbolic link, so the store that was copied may use the "
                                  "same files. Put a folder of its own in its place.");
}

}  // namespace taskd
