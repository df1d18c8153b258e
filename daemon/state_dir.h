// The state directory, which holds everything the daemon must not lose. Every function throws
// UsageError with a sentence that names the directory; exit codes are in parentheses.
#pragma once

#include <string>

#include "daemon/config/config.h"

namespace taskd {

std::string database_in(const std::string& state_dir);
std::string attempts_in(const std::string& state_dir);

// Creates the folder and its missing parents (73).
void make_folder(const std::string& path, unsigned mode);

// Checks that the configured place is usable: the file system supports what the store needs, and
// nobody else may write there (73, 78). Creates nothing.
void check_place(const Config& config);

// Makes the directory ready for use. If it holds no store (66), creates one only with `Mode::init`
// or if the configuration names no directory. Otherwise a disk that is not mounted yet would be
// served as an empty store.
void prepare_state_dir(const Config& config, Mode mode);

// Throws (78) if a copy that is about to become a store of its own shares the original's folder of
// attempts.
void refuse_shared_attempts(const std::string& attempts_dir);

}  // namespace taskd
