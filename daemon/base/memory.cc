#include "daemon/base/memory.h"

#include <malloc.h>

// Of tcmalloc, which the daemon alone is linked with; sanitizers bring allocators of their own.
extern "C" __attribute__((weak)) void MallocExtension_ReleaseFreeMemory(void);

namespace taskd {

void release_free_memory() {
  if (MallocExtension_ReleaseFreeMemory != nullptr) {
    MallocExtension_ReleaseFreeMemory();
  } else {
    ::malloc_trim(0);
  }
}

}  // namespace taskd
