// What every verb needs. main() creates one and passes it on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ctl/base/output.h"
#include "daemon/base/clock.h"

namespace taskd::ctl {

// The environment of this process, read-only.
class Environment {
 public:
  explicit Environment(const char* const* entries) : entries_(entries) {}  // "NAME=value"…, null
  // The value, or null.
  const char* get(std::string_view name) const;
  const char* const* entries() const { return entries_; }

 private:
  const char* const* entries_;
};

struct Context {
  Environment env;
  Output out;
  const Clock& clock;

  // Prints a line for people: "taskctl: …" on stderr. Flushes `out` first, to keep the order.
  // Ignores errors on stderr.
  void say(std::string_view sentence);
};

}  // namespace taskd::ctl
