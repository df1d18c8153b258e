#include "daemon/process/shim/status.h"

#include <unistd.h>

#include <ctime>

#include "daemon/process/shim/fd.h"
#include "daemon/process/shim/text.h"

namespace taskd::shim {
namespace {

using StatusText = Text<2048>;

std::int64_t to_ms(const timeval& time) {
  return std::int64_t{time.tv_sec} * 1000 + time.tv_usec / 1000;
}

std::int64_t wall_now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);  // cannot fail for this clock
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::string_view as_hex(std::uint32_t value, char (&digits)[8]) {
  for (int i = 7; i >= 0; --i, value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  return {digits, sizeof digits};
}

std::string_view word_for(Stopper::Who who) {
  switch (who) {
    case Stopper::Who::nobody:
      return "";
    case Stopper::Who::outside:
      return kStoppedFromOutside;
    case Stopper::Who::own_tree:
      return kStoppedByItself;
    case Stopper::Who::unknown:
      return kStoppedByUnknown;
  }
  return "";
}

StatusText compose(const Spec& spec, const End& end) {
  StatusText text;
  text << kStatusFirstLine;
  text << "task " << spec.header.task << "\n";
  text << "attempt " << spec.header.attempt << "\n";
  text << "token " << spec.token << "\n";
  text << "boot_id " << spec.boot_id << "\n";
  text << "outcome " << end.outcome << "\n";
  text << "code " << end.code << "\n";
  if (*end.step != '\0') text << "step " << end.step << "\n";
  text << "user_cpu_ms " << to_ms(end.usage.ru_utime) << "\n";
  text << "system_cpu_ms " << to_ms(end.usage.ru_stime) << "\n";
  text << "max_rss_bytes " << std::int64_t{end.usage.ru_maxrss} * 1024 << "\n";
  text << "ended_at_ms " << wall_now_ms() << "\n";
  if (end.output_error != 0) text << "output_error " << end.output_error << "\n";
  if (end.dropped_out != 0) text << "dropped_out " << end.dropped_out << "\n";
  if (end.dropped_err != 0) text << "dropped_err " << end.dropped_err << "\n";
  if (const std::string_view who = word_for(end.stopper.who); !who.empty()) {
    text << "stopped_by " << who << " " << end.stopper.pid << " " << end.stopper.name << "\n";
  }
  text << "result " << end.result << "\n";
  char digits[8];
  const std::string_view crc = as_hex(crc32(text.view()), digits);
  text << kStatusCrcKey << crc << "\n";
  return text;
}

bool write_once(int fd, std::string_view text) {
  return ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

void write_status(const Spec& spec, const End& end, bool durable) {
  const StatusText text = compose(spec, end);
  // One write, and the lock file has its block even when the disk is full. If it fails all the
  // same, the attempt is lost.
  if (!write_once(kLockFd, text.view()) || !durable) return;
  ::fsync(kLockFd);
  ::fsync(kFolderFd);
}

}  // namespace taskd::shim
