// Checks who can change the daemon's configuration and state, because these decide what runs, and
// as whom.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace taskd {

// Returns a sentence that names who, other than root and this process's own user (and `also`),
// could change or replace the file or folder, and the remedy. Nothing if nobody could, or if the
// path does not exist. A parent folder may be writable for all only if it is sticky, like /tmp.
std::optional<std::string> who_may_change(const std::string& path,
                                          std::optional<uid_t> also = std::nullopt);

}  // namespace taskd
