// Delivers the notifications in the store's outbox: one thread per declared hook, so that a hook
// that hangs delays only itself. Woken by commits and at the time of the next try; nothing polls.
//
// Delivers at least once: a delivery counts when its try is recorded, so one that was interrupted
// before is sent again, with the same id. Deliveries about one task go out in the order of its
// changes; different users take turns. A refused delivery is tried again after 1 s, 2 s, 4 s … up
// to 1 h, and others continue meanwhile. If the hook is down (SendOutcome), it pauses just as long,
// but only for the user whose delivery failed: one user's tasks cannot block a hook for others.
//
// Threading: start() and stop() from one thread; publish() from the store's writer; the rest from
// any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/event_fd.h"
#include "daemon/hooks/hook_settings.h"
#include "daemon/store/task_store.h"

namespace taskd {

struct HookTest {
  std::string delivery;
  SendResult result;
  std::int64_t took_ms = 0;
};

class Notifier {
 public:
  // `hooks` are those of the store's options, in the same order. `age_clock` decides when a
  // delivery is too old (base/trusted_clock.h). `socket` is passed to commands. `on_fatal` is
  // called with an exception that leaves no way to continue; it must not return. Throws
  // std::runtime_error when a hook cannot be set up.
  Notifier(TaskStore& store, const Clock& clock, const Clock& age_clock, std::vector<Hook> hooks,
           std::string socket, std::function<void(const std::string&)> on_fatal);
  ~Notifier();

  // Gives up deliveries for hooks that are no longer declared, and starts a thread for each hook.
  void start();
  // Interrupts current deliveries, which will be sent again. Does not wait for hooks.
  void stop();

  void publish(std::span<const Change> changes);

  std::span<const Hook> hooks() const { return hooks_; }
  const Hook* find(const std::string& name) const;

  // One round for the hook, without its thread: tries the first due delivery, if any. Returns in
  // how many ms to call again; nothing: when something new is committed.
  std::optional<std::int64_t> run_once(std::size_t hook);

  // Sends the event "test" to the hook and waits for the outcome. Nothing is stored.
  HookTest test(const Hook& hook);

 private:
  struct HookThread;
  void run(HookThread& hook_thread);
  std::optional<std::int64_t> notify_next(HookThread& hook_thread);
  std::optional<std::int64_t> look_at_resting(HookThread& hook_thread);
  void record_result(HookThread& hook_thread, const Delivery& delivery, const SendResult& result);

  TaskStore& store_;
  const Clock& clock_;
  const Clock& age_clock_;
  const std::vector<Hook> hooks_;
  const std::function<void(const std::string&)> on_fatal_;
  EventFd stop_;  // raised once, never cleared
  std::vector<std::unique_ptr<HookThread>> hook_threads_;
};

// The delay after a delivery's `tries`-th try was refused; `unit` is a random number in [0, 1).
std::int64_t redelivery_delay_ms(int tries, double unit);

}  // namespace taskd
