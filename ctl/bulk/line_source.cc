#include "ctl/bulk/line_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ctl/base/failure.h"
#include "ctl/options/text_input.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kReadAtOnceBytes = 64 * 1024;

[[noreturn]] void cannot_read(const std::string& name) {
  throw Failure(exit_code_of_errno(errno, kExitBadData),
                "cannot read " + name + ": " + std::strerror(errno));
}

}  // namespace

LineSource::LineSource(const std::string& path, Interrupts& interrupts, End end)
    : name_(path == "-" ? "stdin" : escape_for_humans(path)),
      fd_(STDIN_FILENO),
      interrupts_(interrupts),
      end_(end) {
  if (path != "-") {
    opened_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened_) cannot_read(name_);
    fd_ = opened_.get();
  }
  struct stat info;
  if (::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode)) size_bytes_ = info.st_size;
}

bool LineSource::next(std::string& line, std::size_t max_bytes) {
  std::size_t searched = begin_;
  while (true) {
    const std::size_t end = buffer_.find(end_ == End::nul ? '\0' : '\n', searched);
    const bool found = end != std::string::npos;
    if ((found ? end : buffer_.size()) - begin_ > max_bytes)
      throw Failure(kExitBadData, name_ + ":" + std::to_string(number_ + 1) +
                                      ": the line is longer than " + std::to_string(max_bytes) +
                                      " bytes");
    if (found) {
      line.assign(buffer_, begin_, end - begin_);
      begin_ = end + 1;
      break;
    }
    searched = buffer_.size() - begin_;  // fill() moves what is left to the front
    if (fill()) continue;
    if (buffer_.empty()) return false;
    line = std::move(buffer_);  // the last line may lack its line end
    buffer_.clear();
    break;
  }
  ++number_;
  if (end_ == End::nul) return true;
  if (line.ends_with('\r')) line.pop_back();
  if (number_ == 1 && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
  return true;
}

std::optional<double> LineSource::part_read() const {
  if (size_bytes_ == 0) return std::nullopt;
  const std::int64_t taken = read_bytes_ - static_cast<std::int64_t>(buffer_.size() - begin_);
  return std::min(1.0, static_cast<double>(taken) / static_cast<double>(size_bytes_));
}

bool LineSource::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t before = buffer_.size();
  while (true) {
    pollfd fds[] = {{fd_, POLLIN, 0}, {interrupts_.fd(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("poll");
    }
    if (fds[1].revents != 0) throw Interrupted{interrupts_.take()};
    buffer_.resize(before + kReadAtOnceBytes);
    const ssize_t got = ::read(fd_, buffer_.data() + before, kReadAtOnceBytes);
    const int error = errno;
    buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got >= 0) {
      read_bytes_ += got;
      return got > 0;
    }
    errno = error;
    if (error != EINTR && error != EAGAIN) cannot_read(name_);
  }
}

}  // namespace taskd::ctl
