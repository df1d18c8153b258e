// The folder of the files that a job of another user than the daemon's is given:
// <jobs>/<uid>/<task>.<number>/. Only root and that user can pass through <jobs>/<uid> (an access
// control list says so), and nobody but root can make anything there; so what lies in it may be
// readable to all. The attempt's folder holds a link, kOwnerLink, that names the uid.
//
// Thread-safe for different attempts. Throws std::system_error; "missing" is never an error.
#pragma once

#include "daemon/base/unique_fd.h"
#include "daemon/process/user.h"
#include "daemon/task/task.h"

namespace taskd {

// "<uid>/<task>.<number>"
std::string job_folder_name(uid_t uid, TaskId task, int number);

// Makes the folder, empty, and the link to it. Where the file system has no access control lists,
// the user's primary group can pass, too, which is told once in the log.
UniqueFd make_job_folder(int jobs_fd, int attempt_fd, const User& user, TaskId task, int number);

// Removes the folder, if the attempt has one.
void remove_job_folder(int jobs_fd, int attempt_fd, TaskId task, int number);

}  // namespace taskd
