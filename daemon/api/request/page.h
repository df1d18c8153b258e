// Writes one page of a list item by item: {"NAME":[…],"next_cursor":…}, optionally with members
// before the list. Not thread-safe.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "daemon/api/request/call.h"
#include "daemon/base/json_writer.h"

namespace taskd {

// A page ends when it reaches this size; only its last item may exceed it.
inline constexpr std::size_t kMaxPageBytes = 8 << 20;
// … or when this much of specs was read for it, since an answer does not show all of a spec.
inline constexpr std::size_t kMaxReadBytes = 32 << 20;

class Page {
 public:
  explicit Page(std::string_view name, const std::function<void(JsonWriter&)>& head = {}) {
    writer_.begin('{');
    if (head) head(writer_);
    writer_.key(name);
    writer_.begin('[');
  }
  // `write` writes the members of the item's object.
  template <class Item>
  void add(void (*write)(JsonWriter&, const Item&), const Item& item) {
    writer_.begin('{');
    write(writer_, item);
    writer_.end('}');
  }
  // Adds an object that is already JSON.
  void add_text(std::string_view object) { writer_.raw(object); }
  bool is_full() const { return writer_.size() >= kMaxPageBytes; }
  // `next_cursor` is null at the end of the list. Call last.
  Reply finish(const nlohmann::json& next_cursor) {
    writer_.end(']');
    writer_.key("next_cursor");
    writer_.raw(next_cursor.dump());
    writer_.end('}');
    return written_reply(200, writer_.take());
  }

 private:
  JsonWriter writer_;
};

}  // namespace taskd
