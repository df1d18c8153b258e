// The directory in which the daemon keeps all that it must not lose. Every function throws
// UsageError with a sentence that names the directory.
#pragma once

#include <string>

#include "daemon/config/config.h"

namespace taskd {

std::string database_in(const std::string& state_dir);
std::string attempts_in(const std::string& state_dir);

// Makes the folder, and those around it (73).
void make_folder(const std::string& path, unsigned mode);

// Whether the configured place can be one: the file system keeps what the store needs, and nobody
// else may write there (73, 78). Nothing is made yet.
void check_place(const Config& config);

// Makes the directory ready to be used. Without one that holds a store (66) nothing is made but by
// `Mode::init`, or where no place was named: a disk that is not mounted yet would be served as an
// empty store.
void prepare_state_dir(const Config& config, Mode mode);

// The attempts' folder of a copy that is to become a store of its own must not be the original's
// (78).
void refuse_shared_attempts(const std::string& attempts_dir);

}  // namespace taskd
