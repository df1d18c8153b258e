// The files of an attempt that belong to the job, in the attempt's folder: what it reads on stdin
// or in files, and where it may write its result. Made before its shim is started, removed when it
// is settled.
//
// Thread-safe for different attempts. Throws std::system_error.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "daemon/process/launcher.h"

namespace taskd {

// `owner` is the job's user; empty: who the daemon is.
void write_input(int folder_fd, const std::string& text, std::optional<uid_t> owner);
void write_job_file(int folder_fd, const JobFile& file, std::optional<uid_t> owner);
// An empty file, since the job may not make one in the folder.
void make_result_file(int folder_fd, std::optional<uid_t> owner);

// What the job left in its result file. Neither is set where it wrote nothing.
struct WrittenResult {
  std::optional<std::string> json;  // compact
  std::string problem;              // why what it wrote is no result
};
WrittenResult read_result_file(int folder_fd);

}  // namespace taskd
