// Descriptors 0 to 2, which a program may be started without (`program <&-`).
#pragma once

namespace taskd {

// Opens /dev/null in the place of each that is closed: else the next file or socket would become
// somebody's stdin or stderr. Call first in main(), before anything is opened.
// Returns 0, or the errno of /dev/null.
int open_missing_standard_fds();

}  // namespace taskd
