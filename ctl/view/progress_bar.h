// One line on a terminal that tells how far something has come, and is gone afterwards.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ctl/base/context.h"

namespace taskd::ctl {

class ProgressBar {
 public:
  // Draws on stderr, and only if `wanted` and that is a terminal that can draw over a line.
  ProgressBar(Context& context, bool wanted);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // `part` is from 0 to 1, or nothing where the end is not known. Not more than ten times a second,
  // unless `now`.
  void show(std::optional<double> part, std::string_view text, bool now = false);
  // Before something else is written.
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
