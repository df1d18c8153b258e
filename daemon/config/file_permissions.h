// Whether what the daemon believes can be changed by others: what stands in its configuration and
// its state decides what runs, and as whom.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace taskd {

// Who else than root and this process's own user (and `also`) could change the file or the folder,
// or put another in its place, in a sentence with the remedy. Nothing if nobody could, and for a
// path that is not there. A folder above it may be everybody's only if it is sticky, as /tmp is.
std::optional<std::string> who_may_change(const std::string& path,
                                          std::optional<uid_t> also = std::nullopt);

}  // namespace taskd
