// Sends notifications to a hook of any kind. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "daemon/hooks/hook_settings.h"
#include "daemon/hooks/webhook.h"

namespace taskd {

class HookSender {
 public:
  // `hook` must outlive this object. `socket` is the daemon's, passed to commands. Throws
  // std::runtime_error.
  HookSender(const Hook& hook, std::string socket);

  // Makes one try, which ends within the hook's timeout, or at once when `stop_fd` becomes
  // readable.
  SendResult send(const HookMessage& message, WallTime now, int stop_fd) const noexcept;

 private:
  const Hook& hook_;
  const std::string socket_;
  std::optional<Webhook> webhook_;  // empty: a command
};

}  // namespace taskd
