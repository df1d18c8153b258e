#include "ctl/view/table.h"

#include <algorithm>

#include "ctl/view/width.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kMinFlexible = 8;
// The width that a flexible column keeps while spare ones can be dropped.
constexpr std::size_t kReadable = 16;

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
  // Writes blanks only before text, so that no line ends in blanks.
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

std::size_t Table::full_width(std::size_t column) const {
  std::size_t width = display_width(columns_[column].title);
  for (const auto& row : rows_) width = std::max(width, display_width(row[column].text));
  return width;
}

std::size_t Table::readable_width(std::size_t column) const {
  const std::size_t width = full_width(column);
  return columns_[column].flexible ? std::min(width, kReadable) : width;
}

std::vector<std::size_t> Table::shown_columns(std::size_t columns) const {
  const auto says_something = [&](std::size_t column) {
    return std::any_of(rows_.begin(), rows_.end(),
                       [&](const auto& row) { return !row[column].text.empty(); });
  };
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns == 0 || rows_.empty() || says_something(i)) shown.push_back(i);
  }
  while (columns != 0) {
    std::size_t least = kGap * (shown.size() - std::min<std::size_t>(shown.size(), 1));
    for (const std::size_t column : shown) least += readable_width(column);
    if (least <= columns) break;
    // The column with the largest number; among equals the last.
    auto spare = shown.end();
    for (auto at = shown.begin(); at != shown.end(); ++at) {
      const int candidate = columns_[*at].spare;
      if (candidate > 0 && (spare == shown.end() || candidate >= columns_[*spare].spare))
        spare = at;
    }
    if (spare == shown.end()) break;
    shown.erase(spare);
  }
  return shown;
}

std::vector<std::size_t> Table::fitted_widths(const std::vector<std::size_t>& shown,
                                              std::size_t columns) const {
  std::vector<std::size_t> widths;
  std::size_t total = shown.empty() ? 0 : kGap * (shown.size() - 1);
  for (const std::size_t column : shown) total += widths.emplace_back(full_width(column));
  if (columns == 0) return widths;
  while (total > columns) {
    // Always shrinks the widest flexible column, so that columns share the loss.
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (columns_[shown[i]].flexible && widths[i] > kMinFlexible &&
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
  const std::vector<std::size_t> shown = shown_columns(columns);
  const std::vector<std::size_t> widths = fitted_widths(shown, columns);
  std::string out;
  const auto add_line = [&](auto cell_at) {
    LineBuilder line(columns, paint);
    for (std::size_t i = 0; i < shown.size(); ++i)
      line.add(cell_at(shown[i]), columns_[shown[i]], widths[i], i + 1 == shown.size());
    out.append(line.take()).push_back('\n');
  };
  add_line([&](std::size_t i) { return Cell{columns_[i].title, Color::bold}; });
  for (const auto& row : rows_) add_line([&](std::size_t i) { return row[i]; });
  return out;
}

}  // namespace taskd::ctl
