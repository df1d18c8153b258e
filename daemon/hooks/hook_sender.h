// Tells a hook, whatever kind it is. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "daemon/hooks/hook_settings.h"
#include "daemon/hooks/webhook.h"

namespace taskd {

class HookSender {
 public:
  // `hook` outlives this; `socket` is the daemon's, told to commands. Throws std::runtime_error.
  HookSender(const Hook& hook, std::string socket);

  // One try, which ends within the hook's timeout, and at once when `stop_fd` becomes readable.
  SendResult send(const HookMessage& message, WallTime now, int stop_fd) const noexcept;

 private:
  const Hook& hook_;
  const std::string socket_;
  std::optional<Webhook> webhook_;  // else a command
};

}  // namespace taskd
