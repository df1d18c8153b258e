// The server's limits on its clients, and its timeouts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace taskd {

struct ServerLimits {
  int threads = 32;                    // requests answered at once; threads start on demand
  std::size_t max_connections = 4096;  // beyond this, the user with the most loses one
  int max_waits = 2048;                // requests that wait for a task; they need no thread
  int max_streams = 256;               // followed outputs; each needs a thread
  std::size_t max_head_bytes = 16 * 1024;
  std::size_t max_line_bytes = 8 * 1024;  // the library's own limit
  int max_headers = 64;
  std::size_t max_body_bytes = 4 << 20;
  std::size_t max_chunk_line_bytes = 256;    // a chunk size with its extension, or a trailer
  std::size_t max_request_bytes = 64 << 20;  // all incomplete requests together
  std::size_t max_output_bytes = 64 << 20;   // all answers that wait for slow readers together
  std::size_t max_work_bytes = 512 << 20;    // all parsed requests together
  std::int64_t head_time_ms = 10'000;        // from the first byte to the end of the head
  std::int64_t body_time_ms = 30'000;
  std::int64_t idle_time_ms = 60'000;   // keep-alive without a request
  std::int64_t write_time_ms = 30'000;  // for a reader that takes nothing
  std::int64_t turn_time_ms = 30'000;   // for a request that waits for others of its user
};

}  // namespace taskd
