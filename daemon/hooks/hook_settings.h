// A hook: a command or an address that the configuration declares and that is notified about tasks.
// Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/task/notify.h"

namespace taskd {

struct Hook {
  std::string name;
  std::vector<std::string>
      command;               // exactly one of command and url is set; starts with an absolute path
  std::string url;           // as parse_hook_url() reads it
  std::string secret_file;   // with url; "" = requests are not signed
  std::string secret;        // contents of the file
  HookEvents on = kTheEnds;  // events if a task names none
  std::int64_t timeout_ms = 10'000;              // per try
  std::int64_t max_age_ms = 24LL * 3600 * 1000;  // after this, a delivery is given up
  // Tries before a delivery is given up; 0 = only max_age_ms limits it.
  int max_attempts = 0;
};

inline constexpr std::int64_t kMaxHookTimeoutMs = 600'000;
inline constexpr int kMaxHookAttempts = 1000;

// One notification.
struct HookMessage {
  std::string delivery;
  std::string hook;
  std::string event;
  WallTime at;
  std::string task;  // JSON; "null" for a test
};

// The document: the body for a webhook, stdin for a command.
std::string document_of(const HookMessage& message);
// The environment for a command, NAME=value. `socket` is the daemon's.
std::vector<std::string> environment_of(const HookMessage& message, const std::string& socket);

enum class SendOutcome {
  delivered,
  refused,      // rejected this delivery; try again later
  down,         // cannot take anything now: unreachable, too slow, or says that it is unavailable
  gone,         // wants no more deliveries
  interrupted,  // the daemon is stopping; the outcome is unknown
};
struct SendResult {
  SendOutcome outcome = SendOutcome::delivered;
  std::string error;  // why it was not delivered
  std::string said;   // the end of a command's stderr
};

}  // namespace taskd
