// The common base of TaskStore's parts.
#pragma once

namespace taskd {

struct StoreImpl;  // store_impl.h

class StorePart {
 protected:
  explicit StorePart(StoreImpl& impl) : impl_(&impl) {}
  StoreImpl* const impl_;  // owned by TaskStore
};

}  // namespace taskd
