// Returns freed memory from the allocator to the system.
#pragma once

namespace taskd {

// Takes some milliseconds if there is much to return. Thread-safe.
void release_free_memory();

}  // namespace taskd
