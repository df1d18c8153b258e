#include "daemon/process/output.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/base/unique_fd.h"
#include "daemon/process/shim/open_file.h"
#include "daemon/process/shim/protocol.h"

namespace taskd {
namespace {

constexpr std::string_view kOrderName = "order";

std::string_view name_of(Stream stream) {
  return stream == Stream::out ? "stdout" : "stderr";
}

UniqueFd open_below(int dir_fd, const char* path) {
  UniqueFd fd(::openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  // Something else in its place holds no output either.
  if (!fd && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
    throw_errno(std::string("open ") + path);
  }
  return fd;
}

// The folder of an attempt, empty when there is none. A job may have put links in the place of this
// folder or the one around it, and of nothing above.
UniqueFd open_folder(const std::string& path) {
  const std::size_t name = path.rfind('/');
  const std::size_t group = path.rfind('/', name - 1);
  const UniqueFd attempts(
      ::open(path.substr(0, group).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!attempts && errno != ENOENT) throw_errno("open " + path.substr(0, group));
  if (!attempts) return UniqueFd();
  const UniqueFd around =
      open_below(attempts.get(), path.substr(group + 1, name - group - 1).c_str());
  return around ? open_below(around.get(), path.c_str() + name + 1) : UniqueFd();
}

// The first offsets of the files of that name, rising.
std::vector<std::int64_t> list_segments(int folder, std::string_view stream) {
  std::vector<std::int64_t> starts;
  if (folder < 0) return starts;
  const int fd = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return starts;  // removed since it was opened
  DIR* dir = fd < 0 ? nullptr : ::fdopendir(fd);
  if (dir == nullptr) {
    const UniqueFd unused(fd);
    throw_errno("list an attempt's folder");
  }
  const std::string prefix = std::string(stream) + ".";
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(prefix)) continue;
    if (const auto start = parse_int(name.substr(prefix.size()))) starts.push_back(*start);
  }
  ::closedir(dir);
  std::sort(starts.begin(), starts.end());
  return starts;
}

struct Segment {
  UniqueFd file;         // empty: it holds nothing that we may read
  bool dropped = false;  // by the shim, since it was listed
};

Segment open_segment(int folder, std::string_view stream, std::int64_t start) {
  const std::string name = std::string(stream) + "." + std::to_string(start);
  Segment segment{UniqueFd(shim::open_own_file(folder, name.c_str(), O_RDONLY))};
  if (segment.file || errno == shim::kForeignFile) return segment;
  if (errno != ENOENT) throw_errno("open " + name);
  segment.dropped = true;
  return segment;
}

// Appends what the file has from `position` on until `text` holds `max_bytes`.
std::int64_t append_from(int fd, std::int64_t position, std::size_t max_bytes, std::string& text) {
  const std::size_t before = text.size();
  while (text.size() < max_bytes) {
    const std::size_t at = text.size();
    text.resize(std::min(max_bytes, at + 64 * 1024));
    const ssize_t n = ::pread(fd, text.data() + at, text.size() - at, position);
    const int error = errno;
    text.resize(at + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n == 0) break;
    if (n < 0 && error != EINTR) {
      errno = error;
      throw_errno("read output");
    }
    if (n > 0) position += n;
  }
  return static_cast<std::int64_t>(text.size() - before);
}

// Reads one segment from chunk.next_offset on. False when it has been dropped.
bool read_segment(int folder, Stream stream, std::int64_t start, std::size_t max_bytes,
                  OutputChunk& chunk) {
  const Segment segment = open_segment(folder, name_of(stream), start);
  if (segment.dropped) return false;
  if (!segment.file) return true;
  if (chunk.next_offset < start) {
    chunk.bytes +=
        "\n[taskd: " + std::to_string(start - chunk.next_offset) + " bytes of output dropped]\n";
    chunk.next_offset = start;
  }
  chunk.next_offset +=
      append_from(segment.file.get(), chunk.next_offset - start, max_bytes, chunk.bytes);
  return true;
}

// Reads on through the segments as they are listed now. False when one of them was dropped under
// the reader: list again.
bool read_listed(int folder, Stream stream, std::size_t max_bytes, OutputChunk& chunk) {
  const std::vector<std::int64_t> starts = list_segments(folder, name_of(stream));
  auto at = std::upper_bound(starts.begin(), starts.end(), chunk.next_offset);
  if (at != starts.begin()) --at;
  for (; at != starts.end() && chunk.bytes.size() < max_bytes; ++at) {
    if (!read_segment(folder, stream, *at, max_bytes, chunk)) return false;
  }
  chunk.at_end = chunk.bytes.size() < max_bytes;
  return true;
}

void read_on(int folder, Stream stream, std::size_t max_bytes, OutputChunk& chunk) {
  // Each repetition means that the shim dropped a segment meanwhile, for one that is still there.
  while (!read_listed(folder, stream, max_bytes, chunk)) {
  }
}

// What lies between the segments. Nothing when one was dropped meanwhile.
std::optional<std::int64_t> dropped_between(int folder, Stream stream) {
  std::int64_t dropped = 0;
  std::int64_t end = 0;
  for (const std::int64_t start : list_segments(folder, name_of(stream))) {
    const Segment segment = open_segment(folder, name_of(stream), start);
    if (segment.dropped) return std::nullopt;
    if (!segment.file) continue;
    struct stat info {};
    if (::fstat(segment.file.get(), &info) != 0) throw_errno("stat output");
    dropped += std::max<std::int64_t>(start - end, 0);
    end = start + info.st_size;
  }
  return dropped;
}

// Nothing when the last segment was dropped meanwhile, for one that is still there.
std::optional<std::int64_t> size_of_listed(int folder, Stream stream) {
  const std::vector<std::int64_t> starts = list_segments(folder, name_of(stream));
  for (auto start = starts.rbegin(); start != starts.rend(); ++start) {
    const Segment segment = open_segment(folder, name_of(stream), *start);
    if (segment.dropped) return std::nullopt;
    if (!segment.file) continue;
    struct stat info {};
    if (::fstat(segment.file.get(), &info) != 0) throw_errno("stat output");
    return *start + info.st_size;
  }
  return 0;
}

std::int64_t size_of(int folder, Stream stream) {
  for (;;) {
    if (const auto size = size_of_listed(folder, stream)) return *size;
  }
}

// "o0000000000012a\n"; nothing for what no shim wrote.
std::optional<OrderRecord> parse_record(std::string_view text) {
  OrderRecord record;
  if (text.size() != shim::kOrderRecordBytes || text.back() != '\n') return std::nullopt;
  if (text[0] != 'o' && text[0] != 'e') return std::nullopt;
  record.stream = text[0] == 'o' ? Stream::out : Stream::err;
  const char* const end = text.data() + text.size() - 1;
  const auto [stop, error] = std::from_chars(text.data() + 1, end, record.offset, 16);
  if (error != std::errc() || stop != end || record.offset < 0) return std::nullopt;
  return record;
}

}  // namespace

std::vector<OrderRecord> read_order(const std::string& attempt_dir) {
  std::vector<OrderRecord> records;
  const UniqueFd folder = open_folder(attempt_dir);
  // A job can put more files there than the shim does.
  std::size_t left = 2 * static_cast<std::size_t>(shim::kOrderCapBytes);
  for (const std::int64_t start : list_segments(folder.get(), kOrderName)) {
    const Segment segment = open_segment(folder.get(), kOrderName, start);
    if (!segment.file) continue;  // dropped meanwhile, as others were before
    std::string text;
    append_from(segment.file.get(), 0, left, text);
    left -= text.size();
    for (std::string_view rest = text; rest.size() >= shim::kOrderRecordBytes;
         rest.remove_prefix(shim::kOrderRecordBytes)) {
      if (const auto record = parse_record(rest.substr(0, shim::kOrderRecordBytes)))
        records.push_back(*record);
    }
  }
  return records;
}

std::string attempt_dir(const std::string& attempts_dir, std::int64_t task, int number) {
  return attempts_dir + "/" + std::to_string(task / 1000) + "/" + std::to_string(task) + "." +
         std::to_string(number);
}

OutputChunk read_output(const std::string& attempt_dir, Stream stream, std::int64_t offset,
                        std::size_t max_bytes) {
  OutputChunk chunk;
  chunk.next_offset = std::max<std::int64_t>(offset, 0);
  read_on(open_folder(attempt_dir).get(), stream, max_bytes, chunk);
  return chunk;
}

std::string read_output_tail(int attempt_fd, Stream stream, std::size_t max_bytes) {
  const std::int64_t size = size_of(attempt_fd, stream);
  if (size == 0) return {};
  OutputChunk chunk;
  chunk.next_offset = std::max<std::int64_t>(0, size - static_cast<std::int64_t>(max_bytes));
  // Twice as much, for a marker and for what was written since.
  read_on(attempt_fd, stream, 2 * max_bytes, chunk);
  if (chunk.bytes.size() > max_bytes) chunk.bytes.erase(0, chunk.bytes.size() - max_bytes);
  return std::move(chunk.bytes);
}

std::int64_t output_dropped(int attempt_fd, Stream stream) {
  for (;;) {
    if (const auto dropped = dropped_between(attempt_fd, stream)) return *dropped;
  }
}

std::int64_t output_dropped(const std::string& attempt_dir, Stream stream) {
  return output_dropped(open_folder(attempt_dir).get(), stream);
}

std::int64_t output_size(const std::string& attempt_dir, Stream stream) {
  return size_of(open_folder(attempt_dir).get(), stream);
}

}  // namespace taskd
