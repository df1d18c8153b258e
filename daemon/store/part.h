// What the parts of TaskStore have in common.
#pragma once

namespace taskd {

struct StoreImpl;  // store_impl.h

class StorePart {
 protected:
  explicit StorePart(StoreImpl& impl) : impl_(&impl) {}
  StoreImpl* const impl_;  // TaskStore's
};

}  // namespace taskd
