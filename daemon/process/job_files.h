// The files that an attempt gives to its job: what it reads on stdin or in files, and the pipe for
// its result. They lie in the attempt's folder or, for a job of another user, in job_folder.h's.
// Made before its shim is started, removed when the attempt is cleaned up. None of them is the
// job's own: it could make them as large as it likes.
//
// Thread-safe for different attempts. Throws std::system_error.
#pragma once

#include <optional>
#include <string>

#include "daemon/process/attempt_folder.h"
#include "daemon/process/launcher.h"

namespace taskd {

void write_input(int folder_fd, const std::string& text);
void write_job_file(int folder_fd, const JobFile& file);
// Where the job will write its result. The shim reads it (shim/result.h).
void make_result_pipe(int folder_fd);

// What the job wrote as its result. Neither is set where it wrote nothing.
struct WrittenResult {
  std::optional<std::string> json;  // compact
  std::string problem;              // why what it wrote is no result
};
// `word` is Status::result.
WrittenResult read_result(int attempt_fd, const std::string& word);

}  // namespace taskd
