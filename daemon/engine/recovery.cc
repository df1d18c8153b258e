#include "daemon/engine/recovery.h"

#include "daemon/base/log.h"

namespace taskd {
namespace {

Launch to_launch(const Claim& claim) {
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

}  // namespace

Recovery recover(TaskStore& store, Launcher& launcher) {
  Recovery recovery;
  std::vector<Finish> finishes;
  for (Claim& claim : store.running_attempts()) {
    auto found = launcher.recover(to_launch(claim), claim.boot_id);
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
    for (const Finish& finish : finishes) launcher.settle(finish.task, finish.attempt);
  }
  return recovery;
}

}  // namespace taskd
