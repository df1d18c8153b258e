// How much the server takes from its clients, and for how long it waits for them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace taskd {

struct ServerLimits {
  int threads = 32;  // requests answered at once; a thread is started when one is needed
  std::size_t max_connections = 4096;  // beyond it one of who has the most makes way
  int max_waits = 2048;                // requests that wait for a task; they hold no thread
  int max_streams = 256;               // followed outputs; each holds a thread
  std::size_t max_head_bytes = 16 * 1024;
  std::size_t max_line_bytes = 8 * 1024;  // the library takes no more
  int max_headers = 64;
  std::size_t max_body_bytes = 4 << 20;
  std::size_t max_chunk_line_bytes = 256;    // the size of a chunk with its extension, a trailer
  std::size_t max_request_bytes = 64 << 20;  // of all requests that have not wholly arrived
  std::size_t max_output_bytes = 64 << 20;   // of all answers that wait for slow readers
  std::size_t max_work_bytes = 512 << 20;    // of all parsed requests together
  std::int64_t head_time_ms = 10'000;        // from the first byte to the end of the head
  std::int64_t body_time_ms = 30'000;
  std::int64_t idle_time_ms = 60'000;   // kept-alive and silent
  std::int64_t write_time_ms = 30'000;  // a reader that takes nothing
  std::int64_t turn_time_ms = 30'000;   // a request that waits until others of its user are done
};

}  // namespace taskd
