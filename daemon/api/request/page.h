// A page of a list, written item by item: {"NAME":[…],"next_cursor":…}, with members before the
// list where it belongs to something. Not thread-safe.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "daemon/api/request/call.h"
#include "daemon/base/json_writer.h"

namespace taskd {

// No answer with a list grows beyond this, but for its last item.
inline constexpr std::size_t kMaxPageBytes = 8 << 20;
// … and for none is more than this read of specs, of which an answer does not show all.
inline constexpr std::size_t kMaxReadBytes = 32 << 20;

class Page {
 public:
  explicit Page(std::string_view name, const std::function<void(JsonWriter&)>& head = {}) {
    writer_.begin('{');
    if (head) head(writer_);
    writer_.key(name);
    writer_.begin('[');
  }
  // `write` writes the members of its object.
  template <class Item>
  void add(void (*write)(JsonWriter&, const Item&), const Item& item) {
    writer_.begin('{');
    write(writer_, item);
    writer_.end('}');
  }
  // An object that is written out already.
  void add_text(std::string_view object) { writer_.raw(object); }
  bool is_full() const { return writer_.size() >= kMaxPageBytes; }
  // The cursor is null where the list ends here. Nothing is to be done with the page afterwards.
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
