// Rows in columns, fitted to a terminal. Cells must be escaped (escape_for_humans).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ctl/base/output.h"

namespace taskd::ctl {

struct Cell {
  std::string text;
  Color color = Color::none;
};

struct Column {
  std::string title;
  bool right = false;     // right-aligned, for numbers
  bool flexible = false;  // shrinks when the terminal is narrow
  // If that is not enough, columns are dropped, the largest number first; 0 is never dropped.
  int spare = 0;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // One cell per column.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  // All lines, each at most `columns` wide; 0 = unlimited, with all columns. Otherwise drops
  // columns whose cells are all empty, then shrinks flexible columns while they stay readable, then
  // drops spare columns, shrinks further, and finally cuts lines.
  std::string render(std::size_t columns, const Painter& paint) const;

 private:
  // Places of the columns to show.
  std::vector<std::size_t> shown_columns(std::size_t columns) const;
  std::vector<std::size_t> fitted_widths(const std::vector<std::size_t>& shown,
                                         std::size_t columns) const;
  std::size_t full_width(std::size_t column) const;
  std::size_t readable_width(std::size_t column) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace taskd::ctl
