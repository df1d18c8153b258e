#include "daemon/hooks/hook_sender.h"

#include "daemon/hooks/command_hook.h"

namespace taskd {

HookSender::HookSender(const Hook& hook, std::string socket)
    : hook_(hook), socket_(std::move(socket)) {
  if (!hook.url.empty()) webhook_.emplace(hook);
}

SendResult HookSender::send(const HookMessage& message, WallTime now, int stop_fd) const noexcept {
  if (webhook_) return webhook_->post(message, now, stop_fd);
  try {
    return run_hook_command(hook_, document_of(message), environment_of(message, socket_), stop_fd);
  } catch (const std::exception& e) {
    return {SendOutcome::down, e.what(), ""};
  }
}

}  // namespace taskd
