// The files that an attempt passes to its job: stdin, input files, and the pipe for its result.
// They lie in the attempt's folder or, for a job of another user, in its job folder (job_folder.h).
// Created before the shim starts, removed when the attempt is cleaned up. The job owns none of
// them, because it could make its own files arbitrarily large.
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
// Creates the pipe to which the job will write its result. The shim reads it (shim/result.h).
void make_result_pipe(int folder_fd);

// The job's result. Neither member is set if it wrote nothing.
struct WrittenResult {
  std::optional<std::string> json;  // compact
  std::string problem;              // why its output is not a valid result
};
// `word` is Status::result.
WrittenResult read_result(int attempt_fd, const std::string& word);

}  // namespace taskd
