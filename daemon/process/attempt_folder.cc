#include "daemon/process/attempt_folder.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "daemon/base/digest.h"
#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/text.h"
#include "daemon/process/launcher.h"
#include "daemon/process/remove_tree.h"
#include "daemon/process/shim/open_file.h"
#include "daemon/process/shim/protocol.h"

namespace taskd {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr std::size_t kMaxStatusBytes = 8192;

// Removing the last attempt of a thousand may race with making the first of another.
constexpr int kMakeTries = 10;

std::string bucket_name(TaskId task) {
  return std::to_string(task / kTasksPerFolder);
}

std::string folder_name(TaskId task, int number) {
  return std::to_string(task) + "." + std::to_string(number);
}

UniqueFd open_folder_at(int dir_fd, const std::string& name) {
  UniqueFd fd(::openat(dir_fd, name.c_str(), kFolderFlags));
  if (!fd && errno != ENOENT) throw_errno("open folder " + name);
  return fd;
}

// Returns how much room the files took.
std::int64_t clear_folder(int folder_fd, bool keep_lock) {
  std::int64_t bytes = 0;
  for (const std::string& name : list_folder_at(folder_fd, ".")) {
    if (keep_lock && name == shim::kLockFile) continue;
    bytes += remove_tree_at(folder_fd, name.c_str());
  }
  return bytes;
}

bool is_output(const std::string& name) {
  return name.starts_with("stdout.") || name.starts_with("stderr.") || name.starts_with("order.");
}

bool remove_folder_if_empty(int dir_fd, const std::string& name) {
  if (::unlinkat(dir_fd, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  if (errno == ENOTEMPTY || errno == EEXIST) return false;
  throw_errno("remove " + name);
}

[[noreturn]] void throw_lock_error() {
  throw_errno(errno == shim::kForeignFile ? "the attempt's lock was replaced by something else"
                                          : "open the attempt's lock");
}

// Empty when there is none.
UniqueFd open_lock_file(int folder_fd, int flags) {
  UniqueFd lock(shim::open_own_file(folder_fd, shim::kLockFile, flags));
  if (!lock && errno != ENOENT) throw_lock_error();
  return lock;
}

// The lines of a status, taken one by one in the order the shim writes them.
class StatusReader {
 public:
  explicit StatusReader(std::string_view text) : text_(text) {}

  // The value of the next line if it has this key.
  std::optional<std::string> take(std::string_view key) {
    const std::size_t end = text_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text_.substr(0, end);
    if (line.size() <= key.size() || line.substr(0, key.size()) != key || line[key.size()] != ' ') {
      return std::nullopt;
    }
    text_.remove_prefix(end + 1);
    return std::string(line.substr(key.size() + 1));
  }

  std::optional<std::int64_t> take_int(std::string_view key) {
    const auto value = take(key);
    return value ? parse_int(*value) : std::nullopt;
  }

 private:
  std::string_view text_;
};

// The text between the version line and the checksum line, if both are right.
std::optional<std::string_view> checked_body(std::string_view text) {
  if (text.substr(0, shim::kStatusFirstLine.size()) != shim::kStatusFirstLine) return std::nullopt;
  const std::size_t crc_line_bytes = shim::kStatusCrcKey.size() + 8 + 1;
  if (text.size() < shim::kStatusFirstLine.size() + crc_line_bytes) return std::nullopt;
  const std::string_view covered = text.substr(0, text.size() - crc_line_bytes);
  std::uint32_t crc = shim::crc32(covered);
  std::string line(shim::kStatusCrcKey);
  for (int shift = 28; shift >= 0; shift -= 4) line += "0123456789abcdef"[(crc >> shift) & 15];
  if (text.substr(covered.size()) != line + "\n") return std::nullopt;
  return covered.substr(shim::kStatusFirstLine.size());
}

// "process 123 (bash)"
std::string process_text(std::string_view pid_and_name) {
  const std::size_t blank = pid_and_name.find(' ');
  const std::string_view name =
      blank == std::string_view::npos ? "" : pid_and_name.substr(blank + 1);
  if (pid_and_name.substr(0, blank) == "0") return "outside of its pid namespace";
  std::string text = "process " + std::string(pid_and_name.substr(0, blank));
  if (!name.empty()) text += " (" + std::string(name) + ")";
  return text;
}

// `stopper` is the rest of the line "stopped_by".
std::string stop_text(std::string_view stopper) {
  const std::size_t blank = stopper.find(' ');
  const std::string_view who = stopper.substr(0, blank);
  const std::string by = "SIGTERM from " + process_text(stopper.substr(blank + 1));
  if (who == shim::kStoppedByItself) {
    return "the command stopped its own supervisor, taskd-shim (" + by + ")";
  }
  return "its supervisor, taskd-shim, was told to stop (" + by + ")";
}

// What the line "step" stands for. A name in it may be no UTF-8.
std::string step_text(const std::string& step, bool timed_out) {
  return timed_out ? "no progress was reported in time" : escape_for_table(step);
}

std::optional<Status> parse_status(std::string_view text, const AttemptKey& key) {
  const auto body = checked_body(text);
  if (!body) return std::nullopt;
  StatusReader reader(*body);
  if (reader.take_int("task") != key.task || reader.take_int("attempt") != key.attempt) {
    return std::nullopt;
  }
  if (reader.take("token") != key.token) return std::nullopt;
  if (!reader.take("boot_id")) return std::nullopt;
  const auto kind = parse_outcome_kind(reader.take("outcome").value_or(""));
  const auto code = reader.take_int("code");
  const auto step = reader.take("step");
  const auto user_cpu = reader.take_int("user_cpu_ms");
  const auto system_cpu = reader.take_int("system_cpu_ms");
  const auto max_rss = reader.take_int("max_rss_bytes");
  const auto ended_at = reader.take_int("ended_at_ms");
  if (!kind || !code || !user_cpu || !system_cpu || !max_rss || !ended_at) return std::nullopt;

  // From here on a line may be missing.
  const auto output_error = reader.take_int("output_error");
  const auto dropped_out = reader.take_int("dropped_out");
  const auto dropped_err = reader.take_int("dropped_err");
  const auto stopper = reader.take("stopped_by");

  Status status;
  AttemptEnd& end = status.end;
  const OutcomeKind outcome = *kind;
  end.outcome = {outcome, static_cast<int>(*code), ""};
  std::string& detail = end.outcome.detail;
  if (step) {
    detail = step_text(*step, outcome == OutcomeKind::timed_out);
  } else if (outcome == OutcomeKind::cancelled && stopper) {
    detail = stop_text(*stopper);
  } else if (output_error) {
    detail = "output lost: " + std::generic_category().message(static_cast<int>(*output_error));
  }
  end.usage = {*user_cpu, *system_cpu, *max_rss};
  end.ended_at = WallTime{*ended_at};
  end.planned_stop = outcome == OutcomeKind::cancelled && stopper &&
                     stopper->starts_with(shim::kStoppedFromOutside);
  end.stdout_dropped_bytes = dropped_out.value_or(0);
  end.stderr_dropped_bytes = dropped_err.value_or(0);
  status.result = reader.take("result").value_or("");
  return status;
}

// "session PID START\n", if that is what comes next.
void read_session(std::string_view marks, LockRecord& record) {
  const std::size_t end = marks.find('\n');
  if (end == std::string_view::npos || !marks.starts_with(shim::kSessionMark)) return;
  const std::string_view line =
      marks.substr(shim::kSessionMark.size(), end - shim::kSessionMark.size());
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return;
  const auto pid = parse_int(line.substr(0, blank));
  const auto start = parse_int(line.substr(blank + 1));
  if (!pid || !start || *pid <= 1) return;
  record.session = static_cast<pid_t>(*pid);
  record.session_start = static_cast<std::uint64_t>(*start);
}

std::optional<std::string> read_lock_text(int folder_fd) {
  const UniqueFd lock = open_lock_file(folder_fd, O_RDONLY);
  if (!lock) return std::nullopt;
  return read_up_to(lock.get(), kMaxStatusBytes, "the attempt's lock");
}

void write_origin(int lock_fd, const AttemptStore& store, const std::string& token) {
  struct stat info {};
  if (::fstat(lock_fd, &info) != 0) throw_errno("look at the attempt's lock");
  std::string line(shim::kOriginMark);
  line += store.id + ' ' + std::to_string(store.epoch) + ' ' + std::to_string(info.st_dev) + ' ' +
          std::to_string(info.st_ino) + ' ' + token + '\n';
  errno = ENOSPC;  // what a short write means
  if (::write(lock_fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw_errno("write the attempt's lock");
  }
}

// The next word of the line, "" at its end.
std::string take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  std::string word(line.substr(0, end));
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<LockOrigin> parse_origin(std::string_view line) {
  LockOrigin origin;
  origin.store = take_word(line);
  const auto epoch = parse_int(take_word(line));
  const auto device = parse_int(take_word(line));
  const auto inode = parse_int(take_word(line));
  origin.token = take_word(line);
  if (!epoch || !device || !inode || origin.token.empty()) return std::nullopt;
  origin.epoch = *epoch;
  origin.device = static_cast<std::uint64_t>(*device);
  origin.inode = static_cast<std::uint64_t>(*inode);
  return origin;
}

bool is_the_file(const LockOrigin& origin, int folder_fd) {
  struct stat info {};
  return ::fstatat(folder_fd, shim::kLockFile, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         info.st_dev == origin.device && info.st_ino == origin.inode;
}

}  // namespace

UniqueFd open_attempt_folder(int attempts_fd, TaskId task, int number) {
  const UniqueFd bucket = open_folder_at(attempts_fd, bucket_name(task));
  return bucket ? open_folder_at(bucket.get(), folder_name(task, number)) : UniqueFd();
}

MadeFolder make_attempt_folder(int attempts_fd, TaskId task, int number) {
  const std::string name = folder_name(task, number);
  for (int i = 0; i < kMakeTries; ++i) {
    const UniqueFd bucket = open_folder_at(attempts_fd, bucket_name(task));
    if (!bucket) {
      if (::mkdirat(attempts_fd, bucket_name(task).c_str(), 0700) != 0 && errno != EEXIST) {
        throw_errno("make folder " + bucket_name(task));
      }
      continue;
    }
    const bool is_new = ::mkdirat(bucket.get(), name.c_str(), 0700) == 0;
    if (!is_new && errno != EEXIST) {
      if (errno == ENOENT) continue;  // the bucket was just removed
      throw_errno("make folder " + name);
    }
    UniqueFd folder = open_folder_at(bucket.get(), name);
    if (folder) return {std::move(folder), !is_new};
  }
  errno = ENOENT;
  throw_errno("make folder " + name);
}

UniqueFd lock_attempt(const MadeFolder& folder, const AttemptStore& store,
                      const std::string& token) {
  const int folder_fd = folder.fd.get();
  UniqueFd lock(shim::make_own_file(folder_fd, shim::kLockFile, O_RDWR | O_APPEND, 0600));
  if (!lock && errno == EEXIST) {
    lock.reset(shim::open_own_file(folder_fd, shim::kLockFile, O_RDWR | O_APPEND));
  }
  if (!lock) throw_lock_error();
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) errno = EBUSY;
    throw_errno("take the attempt's lock");
  }
  if (folder.was_there) {
    clear_folder(folder_fd, true);
    if (::ftruncate(lock.get(), 0) != 0) throw_errno("clear the attempt's lock");
  }
  write_origin(lock.get(), store, token);
  return lock;
}

UniqueFd open_lock(int folder_fd) {
  return open_lock_file(folder_fd, O_RDONLY);
}

bool is_locked_by_other(int lock_fd) {
  if (::flock(lock_fd, LOCK_SH | LOCK_NB) == 0) return false;
  if (errno != EWOULDBLOCK) throw_errno("ask for the attempt's lock");
  return true;
}

bool wait_for_lock(int lock_fd, std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds kPause{5};
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (is_locked_by_other(lock_fd)) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0,
           static_cast<int>(kPause.count()));  // nothing tells when a lock is given back
  }
  return true;
}

bool LockRecord::proves_no_start(const AttemptStore& store, const std::string& token) const {
  return origin && !started && !is_copy && origin->store == store.id &&
         origin->epoch == store.epoch && origin->token == token;
}

bool LockRecord::may_end_leftovers(const AttemptStore& store) const {
  if (!origin) return store.is_verified;
  return origin->store == store.id && !is_copy;
}

LockRecord read_lock_record(int folder_fd) {
  const std::string text = read_lock_text(folder_fd).value_or("");
  std::string_view rest = text;
  LockRecord record;
  std::size_t line_end = rest.find('\n');
  if (rest.starts_with(shim::kOriginMark) && line_end != std::string_view::npos) {
    const std::size_t mark_bytes = shim::kOriginMark.size();
    record.origin = parse_origin(rest.substr(mark_bytes, line_end - mark_bytes));
    record.is_copy = record.origin && !is_the_file(*record.origin, folder_fd);
    rest.remove_prefix(line_end + 1);
    line_end = rest.find('\n');
  }
  const std::size_t mark_bytes = shim::kShimMark.size();
  if (line_end == std::string_view::npos || !rest.starts_with(shim::kShimMark)) return record;
  const auto pid = parse_int(rest.substr(mark_bytes, line_end - mark_bytes));
  record.shim = static_cast<pid_t>(pid.value_or(0));
  std::string_view marks = rest.substr(line_end + 1);
  record.started = marks.starts_with(shim::kStartedMark);
  if (!record.started) return record;
  marks.remove_prefix(shim::kStartedMark.size());
  read_session(marks, record);
  record.planned_stop =
      marks.find(std::string("\n") + std::string(shim::kPlannedStopMark)) != std::string_view::npos;
  return record;
}

std::optional<Status> read_status(int folder_fd, const AttemptKey& key) {
  const std::string lock = read_lock_text(folder_fd).value_or("");
  const std::size_t start = lock.find(shim::kStatusFirstLine);
  if (start == std::string::npos) return std::nullopt;
  return parse_status(std::string_view(lock).substr(start), key);
}

void cleanup_attempt_folder(int attempts_fd, TaskId task, int number) {
  const UniqueFd bucket = open_folder_at(attempts_fd, bucket_name(task));
  if (!bucket) return;
  const std::string name = folder_name(task, number);
  {
    const UniqueFd folder = open_folder_at(bucket.get(), name);
    if (!folder) return;
    for (const char* name_in_it :
         {shim::kInputFile, kPayloadFile, kDependenciesFile, shim::kResultPipe, shim::kResultText,
          kOwnerLink, shim::kLockFile}) {
      if (::unlinkat(folder.get(), name_in_it, 0) != 0 && errno != ENOENT) {
        remove_tree_at(folder.get(), name_in_it);
      }
    }
    if (remove_folder_if_empty(bucket.get(), name)) return;
    // A job of our own user may have left more than output.
    for (const std::string& entry : list_folder_at(folder.get(), ".")) {
      if (!is_output(entry)) remove_tree_at(folder.get(), entry.c_str());
    }
  }
  remove_folder_if_empty(bucket.get(), name);
}

std::int64_t remove_attempt_folder(int attempts_fd, TaskId task, int number) {
  std::int64_t bytes = 0;
  {
    const UniqueFd bucket = open_folder_at(attempts_fd, bucket_name(task));
    if (!bucket) return 0;
    const std::string name = folder_name(task, number);
    bytes = remove_tree_at(bucket.get(), name.c_str());
  }
  remove_folder_if_empty(attempts_fd, bucket_name(task));
  return bytes;
}

}  // namespace taskd
