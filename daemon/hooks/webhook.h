// A hook that is an address: one POST a try, through cpp-httplib, which is named only in the .cc.
#pragma once

#include <memory>
#include <string>

#include "daemon/hooks/channel.h"
#include "daemon/hooks/hook_settings.h"

namespace taskd {

class Webhook {
 public:
  // `url` was checked by parse_hook_url(). Throws std::runtime_error when TLS cannot be set up.
  explicit Webhook(const Hook& hook);

  // Posts the document, signed if there is a secret. 2xx is delivered, 410 gone; all else is
  // refused, redirects too: they are not followed. The whole try ends at the hook's timeout and
  // when the daemon stops (`stop_fd` readable). Of the answer only the head is read, 16 KiB at
  // most. Thread-safe. Throws nothing.
  SendResult post(const HookMessage& message, WallTime now, int stop_fd) const noexcept;

 private:
  int ask(const HookMessage& message, WallTime now, int stop_fd) const;

  const Hook& hook_;  // outlives this
  const HookUrl url_;
  std::unique_ptr<TlsTrust> trust_;  // with https
};

}  // namespace taskd
