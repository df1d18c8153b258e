#include "daemon/process/shim/output_file.h"

#include <cerrno>

#include "daemon/process/shim/open_file.h"
#include "daemon/process/shim/text.h"

namespace taskd::shim {
namespace {

Text<64> segment_name(const char* name, std::int64_t start) {
  Text<64> text;
  text << name << "." << start;
  return text;
}

}  // namespace

void OutputFile::append(const char* data, std::size_t bytes) {
  while (bytes > 0) {
    ssize_t n = -1;
    if ((file_ && room_ > 0) || next_segment()) {
      const auto room = static_cast<std::size_t>(room_);
      n = ::write(file_.get(), data, bytes < room ? bytes : room);
      if (n < 0 && errno == EINTR) continue;
    }
    if (n < 0) {
      if (error_ == 0) error_ = errno;
      file_.reset();
      offset_ += static_cast<std::int64_t>(bytes);
      dropped_ += static_cast<std::int64_t>(bytes);
      return;
    }
    data += n;
    bytes -= static_cast<std::size_t>(n);
    offset_ += n;
    written_ += n;
    room_ -= n;
  }
}

// The oldest segment goes before the new one comes, so the cap holds and a full disk gets room. An
// empty segment, left by a write that failed, gives its place up instead.
bool OutputFile::next_segment() {
  file_.reset();
  if (current_ >= 0 && written_ == 0) {
    remove_segment(current_);
  } else if (current_ >= 0) {
    if (previous_ >= 0) {
      remove_segment(previous_);
      dropped_ += previous_bytes_;
    }
    previous_ = current_;
    previous_bytes_ = written_;
  }
  current_ = -1;
  written_ = 0;
  file_.reset(
      make_own_file(folder_, segment_name(name_, offset_).c_str(), O_WRONLY | O_APPEND, 0600));
  if (!file_) return false;
  if (offset_ > 0) current_ = offset_;
  room_ = offset_ == 0 ? cap_ / 2 : cap_ / 4;
  return true;
}

void OutputFile::remove_segment(std::int64_t start) {
  // A segment that cannot be removed is only space; the attempt's end removes the folder.
  ::unlinkat(folder_, segment_name(name_, start).c_str(), 0);
}

}  // namespace taskd::shim
