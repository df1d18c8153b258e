#include "daemon/process/shim/result.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/process/shim/open_file.h"

namespace taskd::shim {
namespace {

// As much as the largest pipe holds that a job can make of it, and some more.
constexpr int kDrainReads = 512;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Whether a value without quotes and brackets can be one. What begins like a number is left to the
// daemon, which parses what is kept.
bool is_bare_value(std::string_view text) {
  return text == "true" || text == "false" || text == "null" || text[0] == '-' ||
         (text[0] >= '0' && text[0] <= '9');
}

}  // namespace

int Result::open(const char* path) {
  path_ = path;
  // For writing, too: so opening it never blocks a job, and its end is never reached.
  pipe_.reset(::openat(kFolderFd, path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!pipe_ || ::fstat(pipe_.get(), &info) != 0) return errno;
  if (!S_ISFIFO(info.st_mode)) return kForeignFile;
  // Who tried to read would take the result away, or wait for ever.
  return ::fchmod(pipe_.get(), 0222) == 0 ? 0 : errno;
}

bool Result::read() {
  char buffer[4096];
  const ssize_t n = ::read(pipe_.get(), buffer, sizeof buffer);
  if (n <= 0) return n < 0 && errno == EINTR;
  take({buffer, static_cast<std::size_t>(n)});
  return true;
}

void Result::take(std::string_view bytes) {
  for (const char c : bytes) take(c);
}

void Result::take(char c) {
  if (!inside_) {
    if (is_blank(c)) return;
    begin_value();
  } else if (depth_ == 0 && !in_string_ && is_blank(c)) {
    end_value();
    return;
  }
  if (bytes_ < sizeof text_) {
    text_[bytes_++] = c;
  } else {
    too_large_ = true;
  }
  if (in_string_) {
    const bool was_escaped = escaped_;
    escaped_ = c == '\\' && !was_escaped;
    if (c != '"' || was_escaped) return;
    in_string_ = false;
  } else if (c == '"') {
    in_string_ = true;
    return;
  } else if (c == '{' || c == '[') {
    ++depth_;
    return;
  } else if (c == '}' || c == ']') {
    --depth_;
  } else {
    return;
  }
  if (depth_ <= 0) end_value();
}

void Result::begin_value() {
  any_ = true;
  inside_ = true;
  in_string_ = escaped_ = too_large_ = false;
  depth_ = 0;
  bytes_ = 0;
}

void Result::end_value() {
  inside_ = false;
  const bool closed = text_[0] == '{' || text_[0] == '[' || text_[0] == '"';
  if (!closed && !is_bare_value({text_, bytes_})) not_json_ = true;
}

// A job of the daemon's own user may have put a file in the place of the pipe, as by a rename.
void Result::read_replacement() {
  if (*path_ == '/') return;  // another user's cannot
  struct stat now {};
  struct stat ours {};
  if (::fstatat(kFolderFd, path_, &now, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::fstat(pipe_.get(), &ours) != 0 || now.st_ino == ours.st_ino) {
    return;
  }
  const Fd file(open_own_file(kFolderFd, path_, O_RDONLY));
  char buffer[4096];
  ssize_t n = file ? 1 : -1;
  for (std::size_t left = 2 * kMaxResultBytes; n > 0 && left > 0;) {
    n = ::read(file.get(), buffer, sizeof buffer);
    if (n <= 0) break;
    take({buffer, static_cast<std::size_t>(n)});
    left -= static_cast<std::size_t>(n) < left ? static_cast<std::size_t>(n) : left;
  }
  if (n < 0) lost_ = true;
}

bool Result::write_text(bool durable) {
  int fd = make_own_file(kFolderFd, kResultText, O_WRONLY, 0600);
  if (fd < 0 && errno == EEXIST && ::unlinkat(kFolderFd, kResultText, 0) == 0) {
    fd = make_own_file(kFolderFd, kResultText, O_WRONLY, 0600);
  }
  const Fd file(fd);
  return file && ::write(file.get(), text_, bytes_) == static_cast<ssize_t>(bytes_) &&
         (!durable || ::fsync(file.get()) == 0);
}

std::string_view Result::keep(bool durable) {
  if (!pipe_) return kNoResult;
  // The tree is dead: what a process of somebody else goes on writing is not waited for.
  for (int i = 0; i < kDrainReads && read(); ++i) {
  }
  read_replacement();
  if (inside_) end_value();
  if (lost_) return kResultLost;
  if (!any_) return kNoResult;
  if (not_json_) return kResultNotJson;
  if (too_large_) return kResultTooLarge;
  return write_text(durable) ? kResultKept : kResultLost;
}

}  // namespace taskd::shim
