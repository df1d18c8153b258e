// Memory that was freed, and that the allocator keeps.
#pragma once

namespace taskd {

// Gives it back to the system. Takes some milliseconds where it is much. Thread-safe.
void release_free_memory();

}  // namespace taskd
