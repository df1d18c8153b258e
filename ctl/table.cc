#include "ctl/table.h"

#include <algorithm>

#include "ctl/width.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kMinFlexible = 8;

// One line, cut at `columns` (0 = not at all) without cutting through a colour sequence.
class LineBuilder {
 public:
  LineBuilder(std::size_t columns, const Painter& paint) : columns_(columns), paint_(paint) {}

  void add(const Cell& cell, const Column& column, std::size_t width, bool last) {
    if (!first_) blanks_ += kGap;
    first_ = false;
    const std::string text = fit(cell.text, width);
    const std::size_t padding = width - display_width(text);
    if (column.right) blanks_ += padding;
    if (!text.empty()) put(text, cell.color);
    if (!column.right && !last) blanks_ += padding;
  }
  std::string take() { return std::move(line_); }

 private:
  // Blanks are written only before text, so that no line ends in them.
  void put(const std::string& text, Color color) {
    used_ += blanks_;
    if (columns_ != 0 && used_ >= columns_) return;
    line_.append(blanks_, ' ');
    blanks_ = 0;
    const std::string fitted = columns_ == 0 ? text : fit(text, columns_ - used_);
    used_ += display_width(fitted);
    line_ += paint_(color, fitted);
  }

  const std::size_t columns_;
  const Painter& paint_;
  std::string line_;
  std::size_t used_ = 0;
  std::size_t blanks_ = 0;
  bool first_ = true;
};

}  // namespace

std::vector<std::size_t> Table::fitted_widths(std::size_t columns) const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  if (columns == 0) return widths;
  std::size_t total = kGap * (widths.size() - 1);
  for (const std::size_t width : widths) total += width;
  while (total > columns) {
    // Always the widest flexible column gives way, so that two share the loss.
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (columns_[i].flexible && widths[i] > kMinFlexible &&
          (widest == widths.size() || widths[i] > widths[widest]))
        widest = i;
    }
    if (widest == widths.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

std::string Table::render(std::size_t columns, const Painter& paint) const {
  const std::vector<std::size_t> widths = fitted_widths(columns);
  std::string out;
  const auto add_line = [&](auto cell_at) {
    LineBuilder line(columns, paint);
    for (std::size_t i = 0; i < columns_.size(); ++i)
      line.add(cell_at(i), columns_[i], widths[i], i + 1 == columns_.size());
    out.append(line.take()).push_back('\n');
  };
  add_line([&](std::size_t i) { return Cell{columns_[i].title, Color::bold}; });
  for (const auto& row : rows_) add_line([&](std::size_t i) { return row[i]; });
  return out;
}

}  // namespace taskd::ctl
