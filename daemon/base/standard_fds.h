// File descriptors 0 to 2, which may be closed when a program starts (`program <&-`).
#pragma once

namespace taskd {

// Opens /dev/null for each one that is closed. Otherwise the next file or socket would become
// stdin, stdout or stderr. Call first in main(), before anything is opened. Returns 0, or the errno
// from opening /dev/null.
int open_missing_standard_fds();

}  // namespace taskd
