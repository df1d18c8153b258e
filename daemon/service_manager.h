// The protocol of systemd and compatible service managers: socket activation, notifications,
// watchdog. Without a service manager every call does nothing. Thread-safe except adopt_socket().
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/base/unique_fd.h"

namespace taskd::service_manager {

// The listening socket that the service manager passed, if any, close-on-exec. Call once. Throws
// UsageError (78) unless it is exactly one listening Unix stream socket.
std::optional<UniqueFd> adopt_socket();

void notify_ready(const std::string& status);
void notify_stopping();
void notify_failed(const std::string& status);
void notify_alive();  // feeds the watchdog

// How often to call notify_alive() (half the watchdog's limit); nothing without a watchdog.
std::optional<std::int64_t> watchdog_interval_ms();

// Whether our stderr is connected to the journal.
bool stderr_is_journal();

}  // namespace taskd::service_manager
