// What systemd (or another service manager that speaks its protocol) tells us and wants to hear.
// Without one, every call does nothing. Thread-safe but for adopt_socket().
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/base/unique_fd.h"

namespace taskd::service_manager {

// The listening socket handed to us, close-on-exec, if there is one. Call once. Throws UsageError
// (78) when what was handed over is not one listening Unix stream socket.
std::optional<UniqueFd> adopt_socket();

void notify_ready(const std::string& status);
void notify_stopping();
void notify_failed(const std::string& status);
void notify_alive();  // feeds the watchdog

// How often notify_alive() is wanted (half the watchdog's limit); nothing without a watchdog.
std::optional<std::int64_t> watchdog_interval_ms();

// True when our stderr is a stream into the journal.
bool stderr_is_journal();

}  // namespace taskd::service_manager
