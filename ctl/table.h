// Rows in columns, fitted to a terminal. Cells are already safe to show (escape_for_humans).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ctl/output.h"

namespace taskd::ctl {

struct Cell {
  std::string text;
  Color color = Color::none;
};

struct Column {
  std::string title;
  bool right = false;     // numbers
  bool flexible = false;  // gives up width when the terminal is narrow
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // One cell per column.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  // All lines, each at most `columns` wide; 0 = as wide as they are. Flexible columns shrink
  // first, down to a few characters; if that is not enough, lines are cut.
  std::string render(std::size_t columns, const Painter& paint) const;

 private:
  std::vector<std::size_t> fitted_widths(std::size_t columns) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace taskd::ctl
