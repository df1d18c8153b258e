// Widths, tables, colours, and what may reach a terminal.
#include "ctl/view/table.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "ctl/base/failure.h"
#include "ctl/view/terminal_filter.h"
#include "ctl/view/width.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/base/unique_fd.h"

using namespace taskd;
using namespace taskd::ctl;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

Table sample() {
  Table table({{"ID", true, false}, {"STATE", false, false}, {"COMMAND", false, true}});
  table.add({{"7"}, {"queued"}, {"make all"}});
  table.add(
      {{"1234"}, {"failed", Color::red}, {"a command of quite some length, 日本語 included"}});
  table.add({{"5"}, {""}, {""}});
  return table;
}

std::string filtered(std::string_view bytes, bool colors, std::size_t piece) {
  TerminalFilter filter(colors);
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += piece) out += filter.feed(bytes.substr(i, piece));
  return out + filter.finish();
}

}  // namespace

TEST_CASE("wide, combining and plain characters have their width") {
  CHECK(display_width("") == 0);
  CHECK(display_width("abc") == 3);
  CHECK(display_width("äöü€") == 4);
  CHECK(display_width("日本語") == 6);
  CHECK(display_width("e\u0301") == 1);
  CHECK(display_width("한글") == 4);
  CHECK(display_width("🚀") == 2);
  CHECK(display_width("ｆ") == 2);
  CHECK(display_width("…") == 1);
}

TEST_CASE("text is cut by columns, never inside a character") {
  CHECK(fit("abcdef", 6) == "abcdef");
  CHECK(fit("abcdef", 5) == "abcd…");
  CHECK(fit("日本語", 6) == "日本語");
  CHECK(fit("日本語", 5) == "日本…");
  CHECK(fit("日本語", 4) == "日…");
  CHECK(fit("日本語", 1) == "…");
  CHECK(fit("abc", 0) == "");
  const std::string combining = "ae\u0301x";
  CHECK(fit(combining, 2) == "a…");
  for (std::size_t columns = 0; columns < 8; ++columns) {
    CHECK(display_width(fit("日aé本🚀", columns)) <= columns);
    CHECK(is_valid_utf8(fit("日aé本🚀", columns)));
  }
}

TEST_CASE("a table is as wide as it needs when nothing limits it") {
  CHECK(sample().render(0, Painter(false)) ==
        "  ID  STATE   COMMAND\n"
        "   7  queued  make all\n"
        "1234  failed  a command of quite some length, 日本語 included\n"
        "   5\n");
}

TEST_CASE("a table fits every terminal, from one column on") {
  for (std::size_t columns = 1; columns < 80; ++columns) {
    for (const std::string& line : lines_of(sample().render(columns, Painter(false)))) {
      CHECK(display_width(line) <= columns);
      CHECK(is_valid_utf8(line));
      CHECK_FALSE(line.ends_with(' '));
    }
  }
  CHECK(lines_of(sample().render(30, Painter(false)))[2] == "1234  failed  a command of qu…");
}

TEST_CASE(
    "what says nothing is left out on a terminal, then what can be spared, then names shrink") {
  Table table({{"ID", true},
               {"STATE"},
               {"QUEUE", false, true, 2},
               {"REASON", false, true, 1},
               {"PRI", true, false, 3},
               {"NAME", false, true}});
  table.add({{"7"}, {"succeeded"}, {"default"}, {""}, {"0"}, {"a name of some length"}});
  table.add({{"8"}, {"running"}, {"night"}, {""}, {"10"}, {"x"}});
  const auto titles = [&](std::size_t columns) {
    return lines_of(table.render(columns, Painter(false)))[0];
  };
  CHECK(titles(0) == "ID  STATE      QUEUE    REASON  PRI  NAME");
  CHECK(titles(80) == "ID  STATE      QUEUE    PRI  NAME");
  CHECK(titles(40) == "ID  STATE      QUEUE    NAME");
  CHECK(titles(30) == "ID  STATE      NAME");
  CHECK(titles(25) == "ID  STATE      NAME");
  CHECK(lines_of(table.render(25, Painter(false)))[1] == " 7  succeeded  a name of…");
  CHECK(lines_of(table.render(80, Painter(false)))[1] ==
        " 7  succeeded  default    0  a name of some length");
}

TEST_CASE("colours add no width and are always closed") {
  const std::string plain = sample().render(24, Painter(false));
  const std::string painted = sample().render(24, Painter(true));
  CHECK(painted.find("\x1b[31mfailed\x1b[0m") != std::string::npos);
  std::string stripped;
  for (std::size_t i = 0; i < painted.size(); ++i) {
    if (painted[i] == '\x1b') {
      i = painted.find('m', i);
      continue;
    }
    stripped += painted[i];
  }
  CHECK(stripped == plain);
}

TEST_CASE("colours are used on terminals that want them") {
  CHECK(use_color("auto", true, nullptr, "xterm"));
  CHECK(use_color("auto", true, "", "xterm"));
  CHECK_FALSE(use_color("auto", true, "1", "xterm"));
  CHECK_FALSE(use_color("auto", true, nullptr, "dumb"));
  CHECK_FALSE(use_color("auto", true, nullptr, nullptr));
  CHECK_FALSE(use_color("auto", false, nullptr, "xterm"));
  CHECK(use_color("always", false, "1", "dumb"));
  CHECK_FALSE(use_color("never", true, nullptr, "xterm"));
  CHECK_THROWS_AS(use_color("blue", true, nullptr, "xterm"), UsageError);
}

TEST_CASE("a job's output keeps its text and its colours, and obeys nothing else") {
  struct Case {
    std::string_view in;
    std::string_view out;
  };
  const Case cases[] = {
      {"plain\ttext\n", "plain\ttext\n"},
      {"back\\slash", "back\\slash"},
      {"dos\r\nlines\r\n", "dos\nlines\n"},
      {"end\r", "end"},
      {"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"},
      {"\x1b[38;5;1mred", "\x1b[38;5;1mred\x1b[0m"},
      {"\x1b[2Jclear", "\\x1b[2Jclear"},
      {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
      {"\x1b[?25l", "\\x1b[?25l"},
      {"\x1b", "\\x1b"},
      {"\x1b[", "\\x1b["},
      {"\x1b[31", "\\x1b[31"},
      {"bell\a", "bell\\x07"},
      {"日本", "日本"},
      {"\xc2\x9b"
       "31m",
       "\\u{009b}31m"},
      {"\xe2\x80\xae"
       "rtl",
       "\\u{202e}rtl"},
      {"\xff\xfe", "\\xff\\xfe"},
      {"cut \xe6\x97", "cut \\xe6\\x97"},
  };
  for (const auto& [in, out] : cases) {
    CAPTURE(out);
    for (std::size_t piece = 1; piece <= in.size(); ++piece)
      CHECK(filtered(in, true, piece) == out);
  }
  CHECK(filtered("\x1b[31mred\x1b[0m\x1b[2J", false, 3) == "red\\x1b[2J");
}

// What a terminal is left with: carriage returns and erasures obeyed.
std::string as_left(const std::string& shown) {
  std::string out;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (shown.compare(i, 4, "\r\x1b[K") == 0) {
      out.resize(out.rfind('\n') + 1);
      i += 3;
    } else {
      out += shown[i];
    }
  }
  return out;
}

TEST_CASE("of a line that is rewritten the last state stays, however it comes") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"over\rwrite", "write"},
      {"\r  5 %\r 50 %\r100 %\r\nnext\r", "100 %\nnext"},
      {"one\ntwo\rthree\nfour", "one\nthree\nfour"},
      {"a\r\r\rb\r\r\n", "b\n"},
      {"frame=1 \xe6\x97\xa5\rframe=2 \xe6\x97\xa5", "frame=2 \xe6\x97\xa5"},
      {"\x1b[31m1\r2\x1b[0m\r3", "\x1b[0m3"},
  };
  for (const auto& [in, out] : cases) {
    CAPTURE(in);
    for (std::size_t piece = 1; piece <= in.size(); ++piece) {
      const std::string left = as_left(filtered(in, true, piece));
      // Colours that were shown before their line was erased need not come again.
      CHECK(left.substr(left.starts_with("\x1b[0m") ? 4 : 0) ==
            out.substr(out.starts_with("\x1b[0m") ? 4 : 0));
    }
  }
  TerminalFilter plain(true, /*erases=*/false);
  CHECK(plain.feed("1\r2") == "2");
  CHECK(plain.feed("\r3") == "\n3");
  CHECK(last_states("a\rb\nc\r\n\rd\r\r\ne") == "b\nc\nd\ne");
  CHECK(last_states("") == "");
  CHECK(last_states("\r\n") == "\n");
}

TEST_CASE("a sequence without end is shown, not waited for") {
  const std::string digits(1000, '1');
  TerminalFilter filter(true);
  CHECK(filter.feed("\x1b[" + digits).starts_with("\\x1b[111"));
}

TEST_CASE("output that cannot be written ends with its own code") {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full);
  Output output(full.get());
  output.line("x");
  try {
    output.flush();
    FAIL("/dev/full takes nothing");
  } catch (const Failure& failure) {
    CHECK(failure.exit_code == 74);
  }
}

TEST_CASE("a reader that went away ends quietly") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ::close(ends[0]);
  const UniqueFd in(ends[1]);
  Output output(in.get());
  output.line("x");
  try {
    output.flush();
    FAIL("nobody reads this pipe");
  } catch (const Failure& failure) {
    CHECK(failure.exit_code == 141);
    CHECK(std::string_view(failure.what()).empty());
  }
  std::signal(SIGPIPE, before);
}
