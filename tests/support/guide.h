// Parses a Markdown guide whose examples can be run. Pure functions.
//
// Sections begin with "## ". In a block ```console, a line "$ …" is a command, lines "> …" continue
// it, and what follows up to the next command is its output, stdout and stderr in order. In
// expected output "…" matches any text within a line, a line "…" matches any number of lines, and
// runs of blanks match each other, since column widths vary. Another block whose first line is a
// comment with a file name, "# release.toml", is that file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace taskd::test {

struct Example {
  int line = 0;         // line of the command in the guide
  std::string command;  // may span several lines
  std::vector<std::string> output;
};

struct GuideFile {
  std::string name;
  std::string text;
};

struct GuideSection {
  std::string title;
  std::vector<GuideFile> files;
  std::vector<Example> examples;
};

// Throws std::runtime_error, naming the line, if the guide does not have this form.
std::vector<GuideSection> parse_guide(const std::string& text);

bool line_matches(std::string_view expected, std::string_view actual);
bool output_matches(const std::vector<std::string>& expected,
                    const std::vector<std::string>& actual);

// A newline at the end is optional and not included.
std::vector<std::string> split_lines(std::string_view text);

}  // namespace taskd::test
