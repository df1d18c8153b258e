// A hook: a command or an address that the configuration declares, to be told what becomes of
// tasks. Plain data.
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
      command;               // exactly one of command and url is set; an absolute path first
  std::string url;           // as parse_hook_url() reads it
  std::string secret_file;   // with url; "" = requests are not signed
  std::string secret;        // what was in it
  HookEvents on = kTheEnds;  // where nobody says otherwise
  std::int64_t timeout_ms = 10'000;              // of one try
  std::int64_t max_age_ms = 24LL * 3600 * 1000;  // then a delivery is given up
  int max_attempts = 0;                          // or after so many tries; 0 = by age alone
};

inline constexpr std::int64_t kMaxHookTimeoutMs = 600'000;
inline constexpr int kMaxHookAttempts = 1000;

// What a hook is told, once.
struct HookMessage {
  std::string delivery;
  std::string hook;
  std::string event;
  WallTime at;
  std::string task;  // JSON; "null" in a test
};

// The document: what a webhook gets as its body and a command on stdin.
std::string document_of(const HookMessage& message);
// What a command finds in its environment, NAME=value. `socket` is the daemon's.
std::vector<std::string> environment_of(const HookMessage& message, const std::string& socket);

enum class SendOutcome {
  delivered,
  refused,      // it does not take this one, which is to be tried again
  down,         // it takes nothing now: it cannot be reached, answers too late or that it cannot
  gone,         // it says that it wants nothing any more
  interrupted,  // the daemon stops; nobody knows how far it came
};
struct SendResult {
  SendOutcome outcome = SendOutcome::delivered;
  std::string error;  // why it was not delivered
  std::string said;   // by a command on stderr, its end
};

}  // namespace taskd
