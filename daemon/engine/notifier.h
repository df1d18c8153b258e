// Tells hooks what the store's outbox holds for them: one thread a declared hook, so that one which
// hangs holds up nobody but itself. Woken by commits and by the next try's time; nothing polls.
//
// At least once: a delivery counts when its try is recorded, so what was cut off between the two is
// sent again, with the same id. Deliveries about one task come in the order of its changes; those
// of different users take turns. A refused one is tried again after 1 s, 2 s, 4 s … up to 1 h, and
// others go on meanwhile. When the hook is down (SendOutcome), it is left alone as long for the
// user whose delivery it did not take: what one user's tasks make of a hook is never another's
// trouble.
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
  // `hooks` are those of the store's options, in the same order. What is too old to be told goes by
  // `age_clock` (base/trusted_clock.h). `socket` is told to commands. `on_fatal` is told of an
  // exception it cannot go on after; it must not return. Throws std::runtime_error when a hook
  // cannot be set up.
  Notifier(TaskStore& store, const Clock& clock, const Clock& age_clock, std::vector<Hook> hooks,
           std::string socket, std::function<void(const std::string&)> on_fatal);
  ~Notifier();

  // Gives up what waits for hooks that are not declared any more, and starts a thread for each
  // hook.
  void start();
  // Cuts off what is being sent; it will be sent again. Does not wait for hooks.
  void stop();

  void publish(std::span<const Change> changes);

  std::span<const Hook> hooks() const { return hooks_; }
  const Hook* find(const std::string& name) const;

  // One look at the hook, without its thread: tries the first due delivery, if any. Returns in how
  // many ms to look again; nothing: when something new is committed.
  std::optional<std::int64_t> run_once(std::size_t hook);

  // Tells the hook of the event "test", now, and waits for it. Not kept anywhere.
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
  EventFd stop_;  // raised for good
  std::vector<std::unique_ptr<HookThread>> hook_threads_;
};

// How long after its `tries`-th try, which was refused, a delivery is tried again: `unit` is a
// random number in [0, 1).
std::int64_t redelivery_delay_ms(int tries, double unit);

}  // namespace taskd
