#include "ctl/bulk/task_lines.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "ctl/base/count_text.h"
#include "ctl/base/failure.h"
#include "ctl/bulk/digest.h"
#include "ctl/view/progress_bar.h"
#include "ctl/view/width.h"

namespace taskd::ctl {
namespace {

class TempFile {
 public:
  explicit TempFile(const std::string& text) {
    const int fd = ::mkstemp(path_.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    std::ofstream(path_) << text;
  }
  ~TempFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/taskctl-lines-XXXXXX";
};

std::vector<Chunk> chunks_of(const std::string& text, const std::vector<std::string>& command = {},
                             LineSource::End end = LineSource::End::line) {
  const TempFile file(text);
  Interrupts interrupts;
  LineSource source(file.path(), interrupts, end);
  TaskLines lines(source, command);
  std::vector<Chunk> chunks;
  for (Chunk chunk = lines.next(); !chunk.tasks.empty(); chunk = lines.next())
    chunks.push_back(std::move(chunk));
  return chunks;
}

TEST_CASE("a line takes every place of {} in the command, else it comes last") {
  CHECK(complete_command({"cp", "{}", "{}{}.bak"}, "a") == R"({"argv":["cp","a","aa.bak"]})");
  CHECK(complete_command({"echo", "-n"}, "{}") == R"({"argv":["echo","-n","{}"]})");
  CHECK(complete_command({"echo", "{}"}, "\"\\{}") == R"({"argv":["echo","\"\\{}"]})");
}

TEST_CASE("chunks end after a thousand tasks, or where they would grow too long") {
  std::string text;
  for (int i = 0; i < 1500; ++i) text += "{}\n";
  auto chunks = chunks_of(text);
  REQUIRE(chunks.size() == 2);
  CHECK(chunks[0].tasks.size() == kChunkTasks);
  CHECK(chunks[1].lines.front() == 1001);

  const std::string large = "{\"name\":\"" + std::string(300'000, 'x') + "\"}\n";
  const std::string huge = "{\"name\":\"" + std::string(700'000, 'x') + "\"}\n";
  chunks = chunks_of(large + large + "\n" + huge + "{}");
  REQUIRE(chunks.size() == 4);
  CHECK(chunks[1].lines == std::vector<std::int64_t>{2});
  CHECK(chunks[2].lines == std::vector<std::int64_t>{4});
  CHECK(chunks[3].lines == std::vector<std::int64_t>{5});
}

TEST_CASE("blank lines are no tasks, but for a command only empty ones are skipped") {
  CHECK(chunks_of("\n \t\r\n{}\n").at(0).lines == std::vector<std::int64_t>{3});
  CHECK(chunks_of("\n \na\n", {"echo"}).at(0).lines == std::vector<std::int64_t>{2, 3});
  CHECK(chunks_of("").empty());
}

TEST_CASE("a line that cannot be sent is named") {
  const auto says = [](const std::string& text, const std::vector<std::string>& command) {
    try {
      chunks_of(text, command);
    } catch (const Failure& failure) {
      CHECK(failure.exit_code == kExitBadData);
      return std::string(failure.what());
    }
    return std::string();
  };
  CHECK(says("{}\n{", {}).find(":2: not a task in JSON: at byte 1") != std::string::npos);
  CHECK(says(std::string("a\0b", 3), {"echo"}).find(":1: contains a NUL") != std::string::npos);
  CHECK(says("x\n" + std::string(1'100'000, 'a'), {"echo"}).find(":2: the line is longer") !=
        std::string::npos);
}

TEST_CASE("a byte order mark and CR LF are no part of a line") {
  const std::string mark = "\xEF\xBB\xBF";
  CHECK(chunks_of(mark + "a\r\nb\rc\r\n" + mark + "d\r", {"echo"}).at(0).tasks ==
        std::vector<std::string>{R"({"argv":["echo","a"]})", R"({"argv":["echo","b\rc"]})",
                                 "{\"argv\":[\"echo\",\"" + mark + "d\"]}"});
  CHECK(chunks_of(mark + "{}\r\n\r\n{}").at(0).lines == std::vector<std::int64_t>{1, 3});
  CHECK(chunks_of(mark + "\r\n", {"echo"}).empty());
}

TEST_CASE("lines that end in NUL are taken as they are, whatever bytes they hold") {
  const auto nul = LineSource::End::nul;
  const std::string text("a\nb\r\0\0\xEF\xBB\xBF\xff\0last", 15);
  const Chunk chunk = chunks_of(text, {"echo"}, nul).at(0);
  CHECK(chunk.tasks == std::vector<std::string>{R"({"argv":["echo","a\nb\r"]})",
                                                R"({"argv":["echo",{"base64":"77u//w=="}]})",
                                                R"({"argv":["echo","last"]})"});
  CHECK(chunk.lines == std::vector<std::int64_t>{1, 3, 4});
}

TEST_CASE("a digest tells apart where texts end, and goes on after it was read") {
  Digest a, b, c;
  a.add("a");
  a.add("bc");
  b.add("ab");
  b.add("c");
  CHECK(a.hex() != b.hex());
  c.add("a");
  CHECK(c.hex().size() == 64);
  c.add("bc");
  CHECK(c.hex() == a.hex());
}

TEST_CASE("a bar shows the part that is done and keeps inside the terminal") {
  CHECK(bar_line(0.5, "5 tasks", 80) ==
        "[" + std::string(15, '#') + std::string(15, '.') + "]  50 %  5 tasks");
  CHECK(bar_line(1.0, "", 80) == "[" + std::string(30, '#') + "] 100 %  ");
  CHECK(bar_line(std::nullopt, "5 tasks", 80) == "5 tasks");
  CHECK(display_width(bar_line(0.5, "5 täsks", 20)) == 19);
}

TEST_CASE("numbers have their thousands apart") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1000) == "1,000");
  CHECK(format_count(-1234567) == "-1,234,567");
  CHECK(format_count(-123) == "-123");
  CHECK(count_tasks(1) == "1 task");
  CHECK(count_tasks(40000) == "40,000 tasks");
}

}  // namespace
}  // namespace taskd::ctl
