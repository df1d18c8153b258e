// The output of an attempt: its cap, and reading it while it grows.

#include <sys/mount.h>

#include "tests/unit/process/fixture.h"

namespace taskd {
namespace {

std::int64_t bytes_on_disk(const std::string& folder) {
  std::int64_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("stdout.")) {
      sum += static_cast<std::int64_t>(entry.file_size());
    }
  }
  return sum;
}

TEST_CASE_FIXTURE(Fixture, "an attempt that printed nothing has no output files") {
  const Launch launch = shell("true");
  run(launch);
  CHECK(out(launch).empty());
  CHECK(output_size(folder(launch), Stream::out) == 0);
  CHECK(bytes_on_disk(folder(launch)) == 0);
  CHECK(read_output("/no/such/attempt", Stream::out, 5, 100).at_end);
}

TEST_CASE_FIXTURE(Fixture, "output up to the cap is kept whole") {
  config.output_cap_bytes = 1 << 20;
  const Launch launch = shell("head -c 1048576 /dev/zero | tr '\\0' x");
  run(launch);
  CHECK(out(launch) == std::string(1 << 20, 'x'));
}

TEST_CASE_FIXTURE(Fixture, "beyond the cap the head and the tail are kept, with a marker between") {
  config.output_cap_bytes = 1 << 16;
  const Launch launch = shell("seq 1 200000");
  run(launch);
  std::string whole;
  for (int i = 1; i <= 200000; ++i) whole += std::to_string(i) + "\n";
  const auto size = static_cast<std::int64_t>(whole.size());
  CHECK(output_size(folder(launch), Stream::out) == size);
  CHECK(bytes_on_disk(folder(launch)) <= config.output_cap_bytes);

  const std::string kept = out(launch);
  const std::size_t half = 1 << 15;
  CHECK(kept.substr(0, half) == whole.substr(0, half));
  const std::string marker_begin = "\n[taskd: ";
  const std::string marker_end = " bytes of output dropped]\n";
  REQUIRE(kept.compare(half, marker_begin.size(), marker_begin) == 0);
  const std::size_t number_at = half + marker_begin.size();
  const std::size_t marker_stop = kept.find(marker_end, number_at);
  REQUIRE(marker_stop != std::string::npos);
  const auto dropped = static_cast<std::size_t>(std::stoll(kept.substr(number_at)));
  const std::string tail = kept.substr(marker_stop + marker_end.size());
  CHECK(tail.size() >= half / 2);
  CHECK(half + dropped + tail.size() == whole.size());
  CHECK(tail == whole.substr(whole.size() - tail.size()));
  const UniqueFd fd(::open(folder(launch).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(read_output_tail(fd.get(), Stream::out, 100) == whole.substr(whole.size() - 100));
}

TEST_CASE_FIXTURE(Fixture, "reading in pieces gives the same bytes as reading at once") {
  config.output_cap_bytes = 1 << 16;
  const Launch launch = shell("seq 1 50000");
  run(launch);
  const std::string at_once = out(launch);
  for (const std::size_t piece : {std::size_t{997}, std::size_t{16384}, std::size_t{50000}}) {
    std::string pieces;
    OutputChunk chunk;
    do {
      chunk = read_output(folder(launch), Stream::out, chunk.next_offset, piece);
      pieces += chunk.bytes;
    } while (!chunk.at_end);
    CHECK(pieces == at_once);
  }
  const std::int64_t size = output_size(folder(launch), Stream::out);
  const OutputChunk beyond = read_output(folder(launch), Stream::out, size + 10, 100);
  CHECK(beyond.bytes.empty());
  CHECK(beyond.at_end);
  CHECK(beyond.next_offset == size + 10);
}

TEST_CASE_FIXTURE(Fixture, "output can be followed while the job runs") {
  Fifo go = fifo("go");
  Launch launch = shell("echo one; read x < " + go.path() + "; echo two");
  const auto live = start(launch);
  wait_for_output(launch, "one\n");
  const OutputChunk first = read_output(folder(launch), Stream::out, 0, 1000);
  CHECK(first.bytes == "one\n");
  CHECK(first.at_end);
  go.write_line("on");
  finish(*live);
  const OutputChunk second = read_output(folder(launch), Stream::out, first.next_offset, 1000);
  CHECK(second.bytes == "two\n");
}

TEST_CASE_FIXTURE(Fixture, "however many records of the order a job forges, a bounded part is read") {
  const Launch launch = shell("true");
  run(launch);
  constexpr int kFiles = 8;
  constexpr int kRecordsOfFile = 1 << 16;  // a whole cap
  std::string records;
  for (int i = 0; i < kRecordsOfFile; ++i) records += "o0000000000012a\n";
  for (int i = 1; i <= kFiles; ++i) {
    std::ofstream(folder(launch) + "/order." + std::to_string(i)) << records;
  }
  const std::vector<OrderRecord> read = read_order(folder(launch));
  CHECK(read.size() >= kRecordsOfFile);
  CHECK(read.size() <= 2 * kRecordsOfFile);
}

TEST_CASE_FIXTURE(Fixture, "a reader keeps up with segments that are dropped under it") {
  config.output_cap_bytes = 4096;
  const Launch launch = shell("yes | head -c 20000000");
  const auto live = start(launch);
  std::int64_t offset = 0;
  pollfd ended{live->pidfd(), POLLIN, 0};
  while (::poll(&ended, 1, 0) == 0) {
    const OutputChunk chunk = read_output(folder(launch), Stream::out, offset, 1 << 16);
    CHECK(chunk.next_offset >= offset);
    offset = chunk.next_offset;
  }
  CHECK(live->reap().outcome.kind == OutcomeKind::exited);
  CHECK(read_output(folder(launch), Stream::out, offset, 1 << 16).next_offset == 20'000'000);
  CHECK(bytes_on_disk(folder(launch)) <= 4096);
}

TEST_CASE_FIXTURE(Fixture,
                  "what is in the pipes when the tree dies is kept, and nobody waits for more") {
  const Launch launch = shell("printf last; kill -9 $$");
  run(launch);
  CHECK(out(launch) == "last");
}

TEST_CASE_FIXTURE(Fixture,
                  "on a full disk the job goes on, its end is recorded, the loss is told") {
  REQUIRE(::mkdir(config.attempts_dir.c_str(), 0700) == 0);
  if (::mount("none", config.attempts_dir.c_str(), "tmpfs", 0, "size=256k") != 0) return;
  const Launch launch = shell("head -c 3000000 /dev/zero; exit 9");
  const AttemptEnd end = run(launch);
  CHECK(end.outcome.kind == OutcomeKind::exited);
  CHECK(end.outcome.code == 9);
  CHECK(end.outcome.detail.find("output lost") == 0);
  CHECK(output_size(folder(launch), Stream::out) > 0);
  CHECK(::umount2(config.attempts_dir.c_str(), MNT_DETACH) == 0);
}

}  // namespace
}  // namespace taskd
