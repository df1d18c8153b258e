#include "daemon/process/job_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/unique_fd.h"
#include "daemon/process/shim/open_file.h"
#include "daemon/process/shim/protocol.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

static_assert(kMaxResultBytes == shim::kMaxResultBytes);

// Readable to all who come that far.
UniqueFd make_file(int folder_fd, const char* name) {
  UniqueFd file(shim::make_own_file(folder_fd, name, O_WRONLY, 0400));
  if (!file || ::fchmod(file.get(), 0444) != 0) {
    throw_errno("make the attempt's " + std::string(name));
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

std::string too_large() {
  return "it has more than " + std::to_string(kMaxResultBytes) + " bytes";
}

WrittenResult parse_result(const std::string& text) {
  if (text.size() > kMaxResultBytes) return {{}, too_large()};
  const auto parsed = parse_strict_value(text);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    return {{}, "at byte " + std::to_string(error->offset_bytes) + ": " + error->detail};
  }
  return {std::get<nlohmann::json>(parsed).dump(), ""};
}

// Empty when there is none.
std::optional<std::string> read_text(int attempt_fd) {
  const UniqueFd file(shim::open_own_file(attempt_fd, shim::kResultText, O_RDONLY));
  if (file) return read_up_to(file.get(), kMaxResultBytes + 1, "the attempt's result");
  if (errno == ENOENT || errno == shim::kForeignFile) return std::nullopt;
  throw_errno("open the attempt's result");
}

}  // namespace

void write_input(int folder_fd, const std::string& text) {
  const UniqueFd file = make_file(folder_fd, shim::kInputFile);
  write_whole(file.get(), text);
}

void write_job_file(int folder_fd, const JobFile& file) {
  const UniqueFd made = make_file(folder_fd, file.name.c_str());
  file.fill([&](std::string_view text) { write_whole(made.get(), text); });
}

void make_result_pipe(int folder_fd) {
  if (::mkfifoat(folder_fd, shim::kResultPipe, 0600) != 0) throw_errno("make the result pipe");
}

WrittenResult read_result(int attempt_fd, const std::string& word) {
  if (word == shim::kNoResult) return {};
  if (word == shim::kResultTooLarge) return {{}, too_large()};
  if (word == shim::kResultNotJson) return {{}, "it is not JSON"};
  const auto text = word == shim::kResultKept ? read_text(attempt_fd) : std::nullopt;
  return text ? parse_result(*text) : WrittenResult{{}, "it could not be read or kept"};
}

}  // namespace taskd
