#include "daemon/store/db/identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/text.h"
#include "daemon/base/unique_fd.h"

namespace taskd {
namespace {

constexpr std::string_view kFirstLine = "taskd-store 1";
constexpr std::size_t kMaxMarkBytes = 4096;
constexpr std::size_t kIdChars = 32;
constexpr int kExistingFlags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// "TYPE:HEX", or "" if the file system or a sandbox provides no handle.
std::string handle_of(int fd) {
  alignas(file_handle) unsigned char space[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = reinterpret_cast<file_handle*>(space);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (::name_to_handle_at(fd, "", handle, &mount_id, AT_EMPTY_PATH) != 0) return "";
  const std::string_view bytes(reinterpret_cast<const char*>(space) + offsetof(file_handle, f_handle),
                               std::min<std::size_t>(handle->handle_bytes, MAX_HANDLE_SZ));
  return std::to_string(handle->handle_type) + ":" + to_hex(bytes);
}

FileEvidence evidence_of(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw_errno("look at " + path);
  return {info.st_ino, handle_of(fd)};
}

std::string_view type_of(const std::string& handle) {
  return std::string_view(handle).substr(0, handle.find(':'));
}

// Handles of different types, as after a change of mount options, prove nothing.
bool is_same_file(const FileEvidence& a, const FileEvidence& b) {
  if (a.inode != b.inode) return false;
  const bool comparable = !a.handle.empty() && a.handle.size() == b.handle.size() &&
                          type_of(a.handle) == type_of(b.handle);
  return !comparable || a.handle == b.handle;
}

// The lines of a mark, in their order.
class MarkReader {
 public:
  explicit MarkReader(std::string_view text) : text_(text) {}

  std::optional<std::string_view> line() {
    const std::size_t end = text_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return line;
  }
  std::optional<std::string> value(std::string_view key) {
    const auto found = line();
    if (!found || !found->starts_with(key) || found->substr(key.size(), 1) != " ") {
      return std::nullopt;
    }
    return std::string(found->substr(key.size() + 1));
  }
  std::optional<std::int64_t> number(std::string_view key) {
    const auto text = value(key);
    return text ? parse_int(*text) : std::nullopt;
  }

 private:
  std::string_view text_;
};

std::optional<Mark> parse_mark(std::string_view text) {
  MarkReader reader(text);
  if (reader.line() != kFirstLine) return std::nullopt;
  const auto id = reader.value("id");
  const auto epoch = reader.number("epoch");
  const auto generation = reader.number("generation");
  const auto newest_task = reader.number("newest_task");
  const auto inode = reader.value("inode");
  const auto handle = reader.value("handle");
  if (!id || id->size() != kIdChars || !is_hex(*id) || !epoch || !generation || !newest_task ||
      !inode || !handle) {
    return std::nullopt;
  }
  Mark mark{{*id, *epoch, *generation, *newest_task}, {0, *handle == "-" ? "" : *handle}};
  try {
    mark.self.inode = std::stoull(*inode);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return mark;
}

std::string to_text(const Mark& mark) {
  std::string text(kFirstLine);
  text += "\nid " + mark.store.id;
  text += "\nepoch " + std::to_string(mark.store.epoch);
  text += "\ngeneration " + std::to_string(mark.store.generation);
  text += "\nnewest_task " + std::to_string(mark.store.newest_task);
  text += "\ninode " + std::to_string(mark.self.inode);
  text += "\nhandle " + (mark.self.handle.empty() ? "-" : mark.self.handle) + "\n";
  return text;
}

// Empties a replaced mark. Otherwise it would still be valid under another name, in a copy of the
// folder.
void empty_if_file(const UniqueFd& fd) {
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  if (::ftruncate(fd.get(), 0) != 0) throw_errno("empty the mark of before");
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

Provenance judge(const StoreIdentity& database, const std::optional<Mark>& mark,
               const FileEvidence& found, TaskId folder_task) {
  const bool was_used = database.epoch > 0;
  if (!mark) {
    if (was_used) return Provenance::copy;
    return folder_task > database.newest_task ? Provenance::restored : Provenance::first_start;
  }
  if (!is_same_file(mark->self, found)) return Provenance::copy;
  // A new database in place of the one that the mark describes.
  if (mark->store.id != database.id) return was_used ? Provenance::copy : Provenance::restored;
  // The start ended between writing the mark and its commit.
  if (!was_used) return Provenance::first_start;
  const bool knows_more = mark->store.epoch > database.epoch ||
                          mark->store.generation > database.generation ||
                          std::max(mark->store.newest_task, folder_task) > database.newest_task;
  return knows_more ? Provenance::restored : Provenance::original;
}

std::string mark_path(const std::string& database) {
  return database + ".mark";
}

FoundMark read_mark(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), kExistingFlags | O_RDONLY));
  if (!fd) {
    if (errno == ENOENT || errno == ELOOP || errno == ENXIO) return {};
    throw_errno("open " + path);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw_errno("look at " + path);
  if (!S_ISREG(info.st_mode)) return {};
  std::string text(kMaxMarkBytes, '\0');
  const ssize_t bytes = ::pread(fd.get(), text.data(), text.size(), 0);
  if (bytes < 0) throw_errno("read " + path);
  text.resize(static_cast<std::size_t>(bytes));
  return {parse_mark(text), evidence_of(fd.get(), path)};
}

bool write_mark(const std::string& path, const StoreIdentity& store) {
  const std::string fresh = path + ".new";
  const auto full = [&](const std::string& what) {
    const int error = errno;
    ::unlink(fresh.c_str());
    errno = error;
    if (error != ENOSPC && error != EDQUOT) throw_errno(what + fresh);
    return false;
  };
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) throw_errno("remove " + fresh);
  const UniqueFd fd(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return full("make ");
  const std::string text = to_text({store, evidence_of(fd.get(), fresh)});
  errno = ENOSPC;  // the meaning of a short write
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return full("write ");
  }
  if (::fsync(fd.get()) != 0) return full("sync ");
  const UniqueFd old(::open(path.c_str(), kExistingFlags | O_WRONLY));
  if (::rename(fresh.c_str(), path.c_str()) != 0) return full("put in place ");
  const UniqueFd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) throw_errno("sync the folder of " + path);
  empty_if_file(old);
  return true;
}

StoreIdentity read_identity(Connection& db) {
  Query row = db.query(
      "SELECT id, epoch, generation,"
      " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tasks'), 0) FROM store");
  if (!row.step()) throw std::runtime_error("the table daemon is empty");
  return {row.text(0), row.int64(1), row.int64(2), row.int64(3)};
}

}  // namespace taskd
