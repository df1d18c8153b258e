// Labelled lines under a title, as `show` prints them.
#pragma once

#include <string_view>

#include "ctl/base/output.h"

namespace taskd::ctl {

class Lines {
 public:
  // Both must outlive this object.
  Lines(Output& out, const Painter& paint) : out_(out), paint_(paint) {}
  // `text` must be escaped.
  void add(std::string_view label, std::string_view text);

 private:
  Output& out_;
  const Painter& paint_;
};

}  // namespace taskd::ctl
