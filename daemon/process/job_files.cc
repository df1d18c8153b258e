#include "daemon/process/job_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"
#include "daemon/process/shim/protocol.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

UniqueFd make_file(int folder_fd, const char* name, mode_t mode, std::optional<uid_t> owner) {
  UniqueFd file(
      ::openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) throw_errno("make the attempt's " + std::string(name));
  if (owner && ::fchown(file.get(), *owner, static_cast<gid_t>(-1)) != 0) {
    throw_errno("give its user the attempt's " + std::string(name));
  }
  return file;
}

void write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("write the attempt's input");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

// At most one byte more than a result may have.
std::string read_some(int fd) {
  std::string text(kMaxResultBytes + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t n = ::read(fd, text.data() + have, text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read the attempt's result");
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  text.resize(have);
  return text;
}

}  // namespace

void write_input(int folder_fd, const std::string& text, std::optional<uid_t> owner) {
  // The job's own, so that it may open /dev/stdin again.
  const UniqueFd file = make_file(folder_fd, shim::kInputFile, 0400, owner);
  write_whole(file.get(), text);
}

void write_job_file(int folder_fd, const JobFile& file, std::optional<uid_t> owner) {
  const UniqueFd made = make_file(folder_fd, file.name.c_str(), 0400, owner);
  file.fill([&](std::string_view text) { write_whole(made.get(), text); });
}

void make_result_file(int folder_fd, std::optional<uid_t> owner) {
  make_file(folder_fd, shim::kResultFile, 0600, owner);
}

WrittenResult read_result_file(int folder_fd) {
  // Where the daemon's user is the job's, anything may stand there by now.
  const UniqueFd file(
      ::openat(folder_fd, shim::kResultFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ENOENT) return {};
  if (!file && errno == ELOOP) return {{}, "it is a link"};
  if (!file) throw_errno("open the attempt's result");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("look at the attempt's result");
  if (!S_ISREG(info.st_mode)) return {{}, "it is no file"};
  const std::string text = read_some(file.get());
  if (text.empty()) return {};
  if (text.size() > kMaxResultBytes) {
    return {{}, "it has more than " + std::to_string(kMaxResultBytes) + " bytes"};
  }
  const auto parsed = parse_strict_value(text);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    return {{}, "at byte " + std::to_string(error->offset_bytes) + ": " + error->detail};
  }
  return {std::get<nlohmann::json>(parsed).dump(), ""};
}

}  // namespace taskd
