// Rows in columns, fitted to a terminal. Cells are already safe to show (escape_for_humans).
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
  bool right = false;     // numbers
  bool flexible = false;  // gives up width when the terminal is narrow
  // Where that is not enough, the columns with the largest number go first; 0 always stays.
  int spare = 0;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // One cell per column.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  // All lines, each at most `columns` wide; 0 = as wide as they are, with all columns. Else columns
  // without a cell that says something are left out; flexible ones shrink as long as they can be
  // read; then spare ones are left out, flexible ones shrink further, and at last lines are cut.
  std::string render(std::size_t columns, const Painter& paint) const;

 private:
  // Of the columns that are shown, by their places.
  std::vector<std::size_t> shown_columns(std::size_t columns) const;
  std::vector<std::size_t> fitted_widths(const std::vector<std::size_t>& shown,
                                         std::size_t columns) const;
  std::size_t full_width(std::size_t column) const;
  std::size_t readable_width(std::size_t column) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace taskd::ctl
