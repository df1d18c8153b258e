// A file beside the database that only occupies space. When the disk is full, the store deletes it
// to make room for recording the ends of running attempts; new work waits until the ballast is
// back.
//
// Used by one thread at a time: the one that opens the store, then the writer.
#pragma once

#include <cstdint>
#include <string>

namespace taskd {

inline constexpr const char* kBallastSuffix = ".ballast";  // appended to the database's path

class Ballast {
 public:
  // `bytes` 0: no ballast; it counts as in place and frees nothing.
  Ballast(std::string path, std::int64_t bytes);

  bool in_place() const { return in_place_; }
  // The free space required before the ballast comes back.
  std::int64_t wanted_bytes() const { return wanted_bytes(bytes_); }
  static std::int64_t wanted_bytes(std::int64_t bytes) { return 2 * bytes; }
  // Frees its space. Returns false if it had none.
  bool give_up();
  // Reserves the space again if the disk has wanted_bytes() free; this margin keeps it from being
  // lost again at the next commit. Returns in_place(). Logs errors.
  bool restore();

 private:
  bool has_room() const;
  bool allocate() const;

  const std::string path_;
  const std::int64_t bytes_;
  bool in_place_;
};

}  // namespace taskd
