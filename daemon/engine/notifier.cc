#include "daemon/engine/notifier.h"

#include <poll.h>

#include <algorithm>
#include <climits>
#include <map>
#include <set>
#include <thread>

#include "daemon/base/errors.h"
#include "daemon/base/log.h"
#include "daemon/base/random.h"
#include "daemon/hooks/hook_sender.h"
#include "daemon/task/state_machine.h"

namespace taskd {
namespace {

constexpr Backoff kBackoff = {
    .kind = BackoffKind::exponential, .initial_ms = 1000, .max_ms = 3'600'000, .jitter = 0.1};
constexpr std::int64_t kDiskFullPauseMs = 5000;
constexpr int kForever = -1;
constexpr int kGiveUpAtOnce = 500;

// Why the delivery is not tried again, or "".
std::string reason_to_give_up(const Hook& hook, const Delivery& delivery, const SendResult& result,
                              WallTime now) {
  if (result.outcome == SendOutcome::gone) return "the hook wants nothing more";
  if (hook.max_attempts > 0 && delivery.tries + 1 >= hook.max_attempts) {
    return delivery.tries == 0 ? "tried once"
                               : "tried " + std::to_string(delivery.tries + 1) + " times";
  }
  return now - delivery.at >= hook.max_age_ms ? "too old" : "";
}

std::optional<std::int64_t> earlier(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  return a && b ? std::min(a, b) : a ? a : b;
}

}  // namespace

std::int64_t redelivery_delay_ms(int tries, double unit) {
  return backoff_delay_ms(kBackoff, tries - 1, unit);
}

// A hook with its thread. Everything but `wake` belongs to the thread.
struct Notifier::HookThread {
  HookThread(const Hook& declared, const std::string& socket)
      : hook(declared), sender(declared, socket) {}
  const Hook& hook;
  const HookSender sender;
  EventFd wake;
  // To whom it was down at the last try.
  struct Rest {
    int failures = 0;  // in a row
    BootTime until;
  };
  std::map<std::uint32_t, Rest> resting;   // by uid
  std::set<std::uint32_t> refused;         // whose latest delivery it did not take
  std::optional<std::uint32_t> last_user;  // who had the latest turn
  std::optional<BootTime> not_before;      // nothing can be recorded until then
  std::thread thread;
};

Notifier::Notifier(TaskStore& store, const Clock& clock, const Clock& age_clock,
                   std::vector<Hook> hooks, std::string socket,
                   std::function<void(const std::string&)> on_fatal)
    : store_(store),
      clock_(clock),
      age_clock_(age_clock),
      hooks_(std::move(hooks)),
      on_fatal_(std::move(on_fatal)) {
  for (const Hook& hook : hooks_)
    hook_threads_.push_back(std::make_unique<HookThread>(hook, socket));
}

Notifier::~Notifier() {
  stop();
}

void Notifier::start() {
  const std::int64_t given_up = store_.resume_deliveries();
  if (given_up > 0) log::warn("gave up what waited for undeclared hooks", {{"count", given_up}});
  for (const auto& hook_thread : hook_threads_) {
    hook_thread->thread = std::thread([this, &hook_thread = *hook_thread] { run(hook_thread); });
  }
}

void Notifier::stop() {
  stop_.raise();
  for (const auto& hook_thread : hook_threads_) {
    if (hook_thread->thread.joinable()) hook_thread->thread.join();
  }
}

void Notifier::publish(std::span<const Change> changes) {
  std::uint64_t hooks = 0;
  for (const Change& change : changes) hooks |= change.hooks;
  for (std::size_t i = 0; hooks != 0; ++i, hooks >>= 1) {
    if ((hooks & 1) != 0) hook_threads_.at(i)->wake.raise();
  }
}

const Hook* Notifier::find(const std::string& name) const {
  const auto hook =
      std::find_if(hooks_.begin(), hooks_.end(), [&](const Hook& h) { return h.name == name; });
  return hook == hooks_.end() ? nullptr : &*hook;
}

std::optional<std::int64_t> Notifier::run_once(std::size_t hook) {
  return notify_next(*hook_threads_.at(hook));
}

HookTest Notifier::test(const Hook& hook) {
  const auto& hook_thread = hook_threads_.at(static_cast<std::size_t>(&hook - hooks_.data()));
  const HookMessage message{random_token(), hook.name, "test", clock_.wall_now(), "null"};
  const BootTime begin = clock_.boot_now();
  HookTest test;
  test.delivery = message.delivery;
  test.result = hook_thread->sender.send(message, message.at, stop_.get());
  test.took_ms = clock_.boot_now() - begin;
  return test;
}

// Gives up what has grown too old while the hook was left alone, without trying it. In how many ms
// there is something to do for those who rest; 0: there was.
std::optional<std::int64_t> Notifier::look_at_resting(HookThread& hook_thread) {
  std::optional<std::int64_t> wait_ms;
  const WallTime before = age_clock_.wall_now() + -hook_thread.hook.max_age_ms;
  for (auto user = hook_thread.resting.begin(); user != hook_thread.resting.end();) {
    const auto& [uid, rest] = *user;
    const auto oldest = store_.oldest_delivery(hook_thread.hook.name, uid);
    if (!oldest) {  // nothing of his waits any more
      user = hook_thread.resting.erase(user);
      continue;
    }
    const std::int64_t left_ms = rest.until - clock_.boot_now();
    if (left_ms > 0 && *oldest <= before) {
      const int count =
          store_.give_up_deliveries(hook_thread.hook.name, uid, before, kGiveUpAtOnce);
      log::warn("deliveries are given up",
                {{"hook", hook_thread.hook.name}, {"uid", uid}, {"count", count}});
      return 0;
    }
    if (left_ms > 0) wait_ms = earlier(wait_ms, std::min(left_ms, *oldest - before));
    ++user;
  }
  return wait_ms;
}

std::optional<std::int64_t> Notifier::notify_next(HookThread& hook_thread) {
  const WallTime now = clock_.wall_now();
  if (hook_thread.not_before) {
    const std::int64_t left_ms = *hook_thread.not_before - clock_.boot_now();
    if (left_ms > 0) return left_ms;
    hook_thread.not_before.reset();
  }
  const auto resting_ms = look_at_resting(hook_thread);
  if (resting_ms == 0) return 0;
  DeliveryTurn turn{hook_thread.last_user, {}};
  for (const auto& [uid, rest] : hook_thread.resting) {
    if (rest.until > clock_.boot_now()) turn.resting.push_back(uid);
  }
  const DueDelivery due = store_.due_delivery(hook_thread.hook.name, now, turn);
  if (!due.delivery) {
    const auto next_ms =
        due.next ? std::optional(std::max<std::int64_t>(*due.next - now, 0)) : std::nullopt;
    return earlier(next_ms, resting_ms);
  }
  hook_thread.last_user = due.delivery->uid;
  const Delivery& delivery = *due.delivery;
  const HookMessage message{delivery.id, delivery.hook, std::string(to_string(delivery.event)),
                            delivery.at, due.task};
  const SendResult result = hook_thread.sender.send(message, now, stop_.get());
  if (result.outcome == SendOutcome::interrupted) return std::nullopt;
  record_result(hook_thread, delivery, result);
  return 0;
}

void Notifier::record_result(HookThread& hook_thread, const Delivery& delivery,
                             const SendResult& result) {
  const WallTime now = clock_.wall_now();
  DeliveryTry record{delivery, DeliveryState::delivered, {}, {}};
  if (result.outcome == SendOutcome::delivered) {
    hook_thread.refused.erase(delivery.uid);
    if (hook_thread.resting.erase(delivery.uid) > 0) {
      log::info("a hook takes deliveries again", {{"hook", delivery.hook}, {"uid", delivery.uid}});
    }
  } else {
    const std::string why =
        reason_to_give_up(hook_thread.hook, delivery, result, age_clock_.wall_now());
    record.state = why.empty() ? DeliveryState::pending : DeliveryState::failed;
    record.next_at = now + redelivery_delay_ms(delivery.tries + 1, random_unit());
    record.error = result.error + (why.empty() ? "" : "; given up: " + why);
    // Of a user whose deliveries it keeps refusing it is told once.
    bool first = hook_thread.refused.insert(delivery.uid).second;
    if (result.outcome == SendOutcome::down) {
      HookThread::Rest& rest = hook_thread.resting[delivery.uid];
      first = ++rest.failures == 1;
      rest.until = clock_.boot_now() + redelivery_delay_ms(rest.failures, random_unit());
    } else {
      hook_thread.resting.erase(delivery.uid);  // it is there
    }
    if (first || !why.empty()) {
      log::warn(why.empty() ? "a hook refused a delivery" : "a delivery is given up",
                {{"hook", delivery.hook},
                 {"task", delivery.task},
                 {"event", to_string(delivery.event)},
                 {"delivery", delivery.id},
                 {"error", record.error},
                 {"said", result.said}});
    }
  }
  if (!store_.record_try(record)) {
    log::warn("a delivery changed while it was sent", {{"delivery", delivery.id}});
  }
}

void Notifier::run(HookThread& hook_thread) {
  try {
    for (;;) {
      hook_thread.wake.clear();
      std::optional<std::int64_t> wait_ms;
      try {
        wait_ms = notify_next(hook_thread);
      } catch (const StoreUnavailable& e) {
        // What was sent and not recorded is sent again; not at once, for the receiver's sake.
        log::warn("no delivery can be recorded",
                  {{"hook", hook_thread.hook.name}, {"error", e.what()}});
        wait_ms = kDiskFullPauseMs;
        hook_thread.not_before = clock_.boot_now() + kDiskFullPauseMs;
      }
      pollfd fds[] = {{stop_.get(), POLLIN, 0}, {hook_thread.wake.get(), POLLIN, 0}};
      const int timeout_ms =
          wait_ms ? static_cast<int>(std::min<std::int64_t>(*wait_ms, INT_MAX)) : kForever;
      if (::poll(fds, 2, timeout_ms) < 0 && errno != EINTR) throw_errno("poll for a hook's work");
      if (fds[0].revents != 0) return;
    }
  } catch (const std::exception& e) {
    on_fatal_("the hook " + hook_thread.hook.name + " cannot be told any more: " + e.what());
  }
}

}  // namespace taskd
