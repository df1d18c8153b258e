#include "daemon/engine/recovery.h"

#include <poll.h>

#include <chrono>

#include "daemon/base/log.h"

namespace taskd {
namespace {

Launch to_launch(const Claim& claim) {
  // It runs already, or did: as whom does not matter any more.
  return {claim.task, claim.attempt, claim.token, claim.uid, claim.spec};
}

void count(const Outcome& outcome, Recovery& recovery) {
  switch (outcome.kind) {
    case OutcomeKind::lost:
      ++recovery.lost;
      break;
    case OutcomeKind::not_started:
      ++recovery.not_started;
      break;
    default:
      ++recovery.ended;
  }
}

// A shortage passes, or else no daemon can go on.
std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> find(Launcher& launcher,
                                                            const Claim& claim) {
  constexpr int kTries = 50;
  constexpr std::chrono::milliseconds kPause{100};
  for (int i = 1;; ++i) {
    try {
      return launcher.recover(to_launch(claim), claim.boot_id);
    } catch (const std::system_error& e) {
      if (!is_shortage(e) || i == kTries) throw;
    }
    ::poll(nullptr, 0, static_cast<int>(kPause.count()));  // nothing tells when there is room
  }
}

}  // namespace

Recovery recover(TaskStore& store, Launcher& launcher) {
  Recovery recovery;
  std::vector<Finish> finishes;
  for (Claim& claim : store.running_attempts()) {
    auto found = find(launcher, claim);
    if (auto* live = std::get_if<std::unique_ptr<LiveAttempt>>(&found)) {
      store.record_adopted(claim.task, claim.attempt, claim.token);
      log::info("attempt adopted", {{"task", claim.task}, {"attempt", claim.attempt}});
      recovery.adopted.push_back({std::move(claim), std::move(*live)});
      continue;
    }
    AttemptEnd& end = std::get<AttemptEnd>(found);
    count(end.outcome, recovery);
    log::info("attempt had ended", {{"task", claim.task},
                                    {"attempt", claim.attempt},
                                    {"outcome", to_string(end.outcome.kind)},
                                    {"code", end.outcome.code}});
    finishes.push_back({claim.task, claim.attempt, claim.token, std::move(end)});
  }
  if (!finishes.empty()) {
    store.finish(finishes, 0);
    for (const Finish& finish : finishes) launcher.cleanup_attempt(finish.task, finish.attempt);
  }
  return recovery;
}

}  // namespace taskd
