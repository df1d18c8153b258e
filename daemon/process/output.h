// Reads an attempt's output, while the shim writes it or later.
//
// A stream is stored in files named by the logical offset of their first byte: "stdout.0" is the
// head, "stdout.N" are segments of the tail; bytes in between were dropped because of the cap.
// Offsets are always those of the job's own stream. Thread-safe: no shared state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace taskd {

enum class Stream { out, err };  // "stdout", "stderr"

struct OutputChunk {
  std::string bytes;             // with a marker line in place of dropped bytes
  std::int64_t next_offset = 0;  // where to continue reading
  bool at_end = false;           // there was no more at the time of the call
};

// The folder of one attempt: <attempts_dir>/<task / 1000>/<task>.<number>
std::string attempt_dir(const std::string& attempts_dir, std::int64_t task, int number);

// Reads at most `max_bytes` from `offset`. A missing folder or file reads as empty.
// Throws std::system_error on I/O errors.
OutputChunk read_output(const std::string& attempt_dir, Stream stream, std::int64_t offset,
                        std::size_t max_bytes);

// The last `max_bytes` of the stream as it is now; `attempt_fd` is the attempt's open folder.
std::string read_output_tail(int attempt_fd, Stream stream, std::size_t max_bytes);

// How many bytes of the stream were dropped, as far as known.
std::int64_t output_dropped(const std::string& attempt_dir, Stream stream);
std::int64_t output_dropped(int attempt_fd, Stream stream);
// A change of streams: from `offset` on, this stream was written.
struct OrderRecord {
  Stream stream = Stream::out;
  std::int64_t offset = 0;
};
// The order in which the two streams were written, as far as known. Empty if only one was written.
// A part of a stream reaches to the next record of the same stream; if records were dropped because
// of their cap, parts are merely longer.
std::vector<OrderRecord> read_order(const std::string& attempt_dir);

// The current logical length of the stream.
std::int64_t output_size(const std::string& attempt_dir, Stream stream);

}  // namespace taskd
