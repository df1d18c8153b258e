// Hooks that are addresses: one POST per try, through cpp-httplib, which only the .cc includes.
#pragma once

#include <memory>
#include <string>

#include "daemon/hooks/channel.h"
#include "daemon/hooks/hook_settings.h"

namespace taskd {

class Webhook {
 public:
  // `url` must have passed parse_hook_url(). Throws std::runtime_error if TLS cannot be set up.
  explicit Webhook(const Hook& hook);

  // Posts the document, signed if there is a secret. 2xx is delivered, 410 is gone; anything else
  // is refused, including redirects, which are not followed. The try ends at the hook's timeout or
  // when the daemon stops (`stop_fd` readable). Reads only the head of the answer, at most 16 KiB.
  // Thread-safe. Does not throw.
  SendResult post(const HookMessage& message, WallTime now, int stop_fd) const noexcept;

 private:
  int ask(const HookMessage& message, WallTime now, int stop_fd) const;

  const Hook& hook_;  // must outlive this object
  const HookUrl url_;
  std::unique_ptr<TlsTrust> trust_;  // only with https
};

}  // namespace taskd
