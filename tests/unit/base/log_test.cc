#include "daemon/base/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace taskd {
namespace {

// What `act` writes to stderr.
std::string stderr_of(const auto& act) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw_errno("pipe2");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const UniqueFd saved(::dup(STDERR_FILENO));
  ::dup2(writer.get(), STDERR_FILENO);
  act();
  ::dup2(saved.get(), STDERR_FILENO);
  writer.reset();
  std::string text(64 * 1024, '\0');
  const ssize_t got = ::read(reader.get(), text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

// A line without its time stamp.
std::string logged(log::Fields fields) {
  const std::string line = stderr_of([&] {
    log::configure(log::Level::info, false);
    log::info("task started", fields);
  });
  const std::size_t stamp_end = line.find(' ');
  return stamp_end == std::string::npos ? line : line.substr(stamp_end + 1);
}

TEST_CASE("a line has a time stamp, a level, a message and its fields") {
  const std::string line = stderr_of([] {
    log::configure(log::Level::info, false);
    log::warn("attempt lost", {{"task", 12}, {"queue", "default"}});
  });
  REQUIRE(line.size() > 25);
  CHECK(line[10] == 'T');
  CHECK(line.substr(23) == "Z warning attempt lost task=12 queue=default\n");
}

TEST_CASE("values with blanks, quotes or nothing in them are quoted") {
  CHECK(logged({{"name", "two words"}}) == "info task started name=\"two words\"\n");
  CHECK(logged({{"name", "a=b"}}) == "info task started name=\"a=b\"\n");
  CHECK(logged({{"name", "say \"hi\""}}) == "info task started name=\"say \\\"hi\\\"\"\n");
  CHECK(logged({{"name", ""}}) == "info task started name=\"\"\n");
  CHECK(logged({{"id", -5}}) == "info task started id=-5\n");
}

TEST_CASE("a foreign value can neither forge a line nor steer a terminal") {
  CHECK(logged({{"name", "x\n2026 error forged"}}) ==
        "info task started name=\"x\\n2026 error forged\"\n");
  CHECK(logged({{"name", "\x1B[2J\xFF"}}) == "info task started name=\\x1b[2J\\xff\n");
  CHECK(logged({{"name", "{} %s"}}) == "info task started name=\"{} %s\"\n");
}

TEST_CASE("lines under the level are not written") {
  CHECK(stderr_of([] {
          log::configure(log::Level::warn, false);
          log::debug("no");
          log::info("no");
        }) == "");
  CHECK(stderr_of([] {
          log::configure(log::Level::debug, false);
          log::debug("yes");
        }).find("debug yes\n") != std::string::npos);
}

}  // namespace
}  // namespace taskd
