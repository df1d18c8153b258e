// A page of a list, written item by item: {"NAME":[…],"next_cursor":…}. Not thread-safe.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "daemon/api/call.h"
#include "daemon/base/json_writer.h"

namespace taskd {

class Page {
 public:
  explicit Page(std::string_view name) {
    writer_.begin('{');
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
  std::size_t size_bytes() const { return writer_.size(); }
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
