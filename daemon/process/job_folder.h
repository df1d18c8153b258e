// The folder for the input files of a job whose user is not the daemon's:
// <jobs>/<uid>/<task>.<number>/. An access control list lets only root and that user pass through
// <jobs>/<uid>, and only root can create anything there; so files in it may be readable for all. In
// the attempt's folder, a link, kOwnerLink, names the uid.
//
// Thread-safe for different attempts. Throws std::system_error; "missing" is never an error.
#pragma once

#include "daemon/base/unique_fd.h"
#include "daemon/process/user.h"
#include "daemon/task/task.h"

namespace taskd {

// "<uid>/<task>.<number>"
std::string job_folder_name(uid_t uid, TaskId task, int number);

// Creates the empty folder and the link to it. If the file system has no access control lists, the
// user's primary group can pass, too, which is logged once.
UniqueFd make_job_folder(int jobs_fd, int attempt_fd, const User& user, TaskId task, int number);

// Removes the attempt's folder, if there is one.
void remove_job_folder(int jobs_fd, int attempt_fd, TaskId task, int number);

}  // namespace taskd
