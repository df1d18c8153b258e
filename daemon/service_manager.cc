#include "daemon/service_manager.h"

#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#include <cstdio>
#include <cstdlib>

#include "daemon/base/errors.h"

namespace taskd::service_manager {
namespace {

// Ignores errors: our work does not depend on the manager.
void notify(const std::string& state) {
  ::sd_notify(0, state.c_str());
}

}  // namespace

std::optional<UniqueFd> adopt_socket() {
  const int count = ::sd_listen_fds(1);
  if (count < 0) {
    throw UsageError(EX_CONFIG, "the service manager's LISTEN_FDS is invalid");
  }
  if (count == 0) return std::nullopt;
  if (count > 1 || ::sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, nullptr, 0) <= 0) {
    throw UsageError(EX_CONFIG,
                     "expected one listening Unix stream socket from the service manager");
  }
  return UniqueFd(SD_LISTEN_FDS_START);
}

void notify_ready(const std::string& status) {
  notify("READY=1\nSTATUS=" + status);
}
void notify_stopping() {
  notify("STOPPING=1");
}
void notify_failed(const std::string& status) {
  notify("STATUS=" + status);
}
void notify_alive() {
  notify("WATCHDOG=1");
}

std::optional<std::int64_t> watchdog_interval_ms() {
  std::uint64_t limit_us = 0;
  if (::sd_watchdog_enabled(0, &limit_us) <= 0) return std::nullopt;
  return static_cast<std::int64_t>(limit_us / 2000);
}

bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  unsigned long long device = 0;
  unsigned long long inode = 0;
  struct stat st {};
  return stream != nullptr && std::sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
         ::fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

}  // namespace taskd::service_manager
