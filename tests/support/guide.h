// A guide in Markdown whose examples can be run. Pure functions.
//
// Sections begin with "## ". In a block ```console a line "$ …" is a command, lines "> …" go on
// with it, and what follows up to the next command is its output, stdout and stderr as they came.
// In what is expected "…" stands for any text within a line, a line that is "…" alone for any
// lines, none included; runs of blanks are as good as one, since columns are as wide as their
// widest cell. Another block whose first line is a comment with the name of a file, "#
// release.toml", is that file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace taskd::test {

struct Example {
  int line = 0;         // of the guide, where the command stands
  std::string command;  // may have several lines
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

// Throws std::runtime_error that names the line where the guide is not what is said above.
std::vector<GuideSection> parse_guide(const std::string& text);

bool line_matches(std::string_view expected, std::string_view actual);
bool output_matches(const std::vector<std::string>& expected,
                    const std::vector<std::string>& actual);

// Without the newline at the end, which needs not be there.
std::vector<std::string> split_lines(std::string_view text);

}  // namespace taskd::test
