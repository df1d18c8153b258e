#include "tests/support/guide.h"

#include <algorithm>
#include <stdexcept>

namespace taskd::test {
namespace {

constexpr std::string_view kAny = "…";

// The name in "# release.toml", or "".
std::string file_name(std::string_view line) {
  const bool is_name = line.starts_with("# ") && line.find('.') != line.npos &&
                       line.find_first_of(" /", 2) == line.npos;
  return is_name ? std::string(line.substr(2)) : "";
}

class Parser {
 public:
  std::vector<GuideSection> parse(const std::string& text) {
    for (const std::string& line : split_lines(text)) {
      ++number_;
      read(line);
    }
    if (block_ != Block::none) fail("a block without end");
    return std::move(sections_);
  }

 private:
  enum class Block { none, begun, console, file, other };

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("line " + std::to_string(number_) + ": " + what);
  }

  void read(const std::string& line) {
    if (line.starts_with("```")) return read_fence(line);
    if (block_ == Block::none && line.starts_with("## ")) {
      sections_.push_back({line.substr(3), {}, {}});
    } else if (block_ == Block::console) {
      read_console(line);
    } else if (block_ == Block::begun) {
      begin_file(line);
    } else if (block_ == Block::file) {
      sections_.back().files.back().text += line + "\n";
    }
  }

  void read_fence(const std::string& line) {
    const bool opens = block_ == Block::none;
    if (opens && line.size() == 3) fail("a block without a language");
    if (!opens && line.size() > 3) fail("a block within a block");
    block_ = !opens ? Block::none : line == "```console" ? Block::console : Block::begun;
    first_ = true;
  }

  void begin_file(const std::string& line) {
    const std::string name = file_name(line);
    block_ = name.empty() ? Block::other : Block::file;
    if (!name.empty()) section().files.push_back({name, line + "\n"});
  }

  void read_console(const std::string& line) {
    if (line.starts_with("$ ")) {
      section().examples.push_back({number_, line.substr(2), {}});
    } else if (first_) {
      fail("output without a command");
    } else if (line.starts_with("> ") && section().examples.back().output.empty()) {
      section().examples.back().command += "\n" + line.substr(2);
    } else {
      section().examples.back().output.push_back(line);
    }
    first_ = false;
  }

  GuideSection& section() {
    if (sections_.empty()) fail("an example before the first section");
    return sections_.back();
  }

  int number_ = 0;
  Block block_ = Block::none;
  bool first_ = true;  // nothing of the block was read yet
  std::vector<GuideSection> sections_;
};

// Collapses runs of blanks, and removes those at the end.
std::string squeezed(std::string_view line) {
  std::string out;
  for (const char c : line) {
    if (c != ' ' || !out.ends_with(' ')) out.push_back(c);
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

// `expected` is split at each "…": `actual` must begin with the first part, end with the last, and
// contain the others in order.
bool pieces_match(std::string_view expected, std::string_view actual) {
  std::size_t cut = expected.find(kAny);
  if (cut == expected.npos) return expected == actual;
  if (!actual.starts_with(expected.substr(0, cut))) return false;
  actual.remove_prefix(cut);
  while (true) {
    expected.remove_prefix(cut + kAny.size());
    cut = expected.find(kAny);
    if (cut == expected.npos) return actual.ends_with(expected);
    const std::size_t found = actual.find(expected.substr(0, cut));
    if (found == actual.npos) return false;
    actual.remove_prefix(found + cut);
  }
}

bool match_from(const std::vector<std::string>& expected, std::size_t e,
                const std::vector<std::string>& actual, std::size_t a) {
  if (e == expected.size()) return a == actual.size();
  if (expected[e] == kAny) {
    for (std::size_t next = a; next <= actual.size(); ++next) {
      if (match_from(expected, e + 1, actual, next)) return true;
    }
    return false;
  }
  return a < actual.size() && line_matches(expected[e], actual[a]) &&
         match_from(expected, e + 1, actual, a + 1);
}

}  // namespace

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<GuideSection> parse_guide(const std::string& text) {
  return Parser().parse(text);
}

bool line_matches(std::string_view expected, std::string_view actual) {
  return pieces_match(squeezed(expected), squeezed(actual));
}

bool output_matches(const std::vector<std::string>& expected,
                    const std::vector<std::string>& actual) {
  return match_from(expected, 0, actual, 0);
}

}  // namespace taskd::test
