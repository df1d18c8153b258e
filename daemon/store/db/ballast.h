// A file beside the database that only takes up room. When the disk is full it is given up, so that
// the ends of running attempts can still be recorded; new work waits until it is back.
//
// Used by one thread at a time: whoever opens the store, then the writer.
#pragma once

#include <cstdint>
#include <string>

namespace taskd {

inline constexpr const char* kBallastSuffix = ".ballast";  // to the database's path

class Ballast {
 public:
  // `bytes` 0: no ballast; it counts as in place and gives nothing.
  Ballast(std::string path, std::int64_t bytes);

  bool in_place() const { return in_place_; }
  // How much must be free before the ballast comes back.
  std::int64_t wanted_bytes() const { return wanted_bytes(bytes_); }
  static std::int64_t wanted_bytes(std::int64_t bytes) { return 2 * bytes; }
  // Gives its room to the disk. False when it had none to give.
  bool give_up();
  // Takes the room again, where the disk has wanted_bytes() free: so a disk that is as good as full
  // does not get it back only to lose it at the next commit. Returns in_place(). Errors are logged.
  bool restore();

 private:
  bool has_room() const;
  bool allocate() const;

  const std::string path_;
  const std::int64_t bytes_;
  bool in_place_;
};

}  // namespace taskd
