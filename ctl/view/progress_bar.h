// A progress line on a terminal, erased afterwards.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ctl/base/context.h"

namespace taskd::ctl {

class ProgressBar {
 public:
  // Draws on stderr, only if `wanted` and it is a terminal that can overwrite a line.
  ProgressBar(Context& context, bool wanted);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // `part` is from 0 to 1, or nothing if the total is unknown. Draws at most ten times a second,
  // unless `now`.
  void show(std::optional<double> part, std::string_view text, bool now = false);
  // Call before writing anything else.
  void clear();
  bool enabled() const { return enabled_; }

 private:
  Context& context_;
  const bool enabled_;
  bool drawn_ = false;
  std::optional<BootTime> drawn_at_;
};

// "[#####.....]  50 %  TEXT", cut to `columns`.
std::string bar_line(std::optional<double> part, std::string_view text, int columns);

}  // namespace taskd::ctl
