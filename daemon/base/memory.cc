#include "daemon/base/memory.h"

#include <malloc.h>

// From tcmalloc, which only the daemon links; sanitizers have their own allocators.
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
