#include "ctl/view/progress_bar.h"

#include <unistd.h>

#include <algorithm>

#include "ctl/base/output.h"
#include "ctl/view/width.h"

namespace taskd::ctl {
namespace {

constexpr int kBarCells = 30;
constexpr std::int64_t kRedrawMs = 100;

}  // namespace

std::string bar_line(std::optional<double> part, std::string_view text, int columns) {
  std::string line;
  if (part) {
    const double known = std::clamp(*part, 0.0, 1.0);
    const auto full = static_cast<std::size_t>(known * kBarCells);
    const std::string percent = std::to_string(static_cast<int>(known * 100));
    line = "[" + std::string(full, '#') + std::string(kBarCells - full, '.') + "] " +
           std::string(3 - percent.size(), ' ') + percent + " %  ";
  }
  line.append(text);
  // A line that fills the last column would wrap on some terminals.
  return columns > 1 ? fit(line, static_cast<std::size_t>(columns - 1)) : line;
}

ProgressBar::ProgressBar(Context& context, bool wanted)
    : context_(context),
      enabled_(wanted && ::isatty(STDERR_FILENO) == 1 && !is_dumb(context.env.get("TERM"))) {}

void ProgressBar::show(std::optional<double> part, std::string_view text, bool now) {
  if (!enabled_) return;
  const BootTime time = context_.clock.boot_now();
  if (!now && drawn_at_ && time - *drawn_at_ < kRedrawMs) return;
  drawn_at_ = time;
  drawn_ = true;
  const int columns = terminal_columns(STDERR_FILENO, context_.env.get("COLUMNS"));
  write_all(STDERR_FILENO, "\r" + bar_line(part, text, columns) + "\x1b[K");
}

void ProgressBar::clear() {
  if (!drawn_) return;
  write_all(STDERR_FILENO, "\r\x1b[K");
  drawn_ = false;
}

}  // namespace taskd::ctl
