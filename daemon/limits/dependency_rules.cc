#include "daemon/limits/dependency_rules.h"

#include "daemon/task/state_machine.h"

namespace taskd {

Upstream upstream_of(std::optional<State> state, bool broken_link) {
  if (!state) return Upstream::removed;
  if (!is_end(*state)) return Upstream::active;
  if (*state == State::succeeded) return Upstream::succeeded;
  return *state == State::cancelled && broken_link ? Upstream::skipped : Upstream::failed;
}

Standing standing_of(State state, bool waits, bool broken_link) {
  if (state == State::held) return Standing::held;
  if (state == State::blocked && waits) return Standing::blocked;
  return is_end(state) && broken_link ? Standing::ended : Standing::free;
}

LinkState judge(LinkState was, Upstream upstream, DependencyOn on, OnDependencyFailed policy,
                Standing standing) {
  if (was == LinkState::met || standing == Standing::free) return LinkState::met;
  if (upstream == Upstream::active) return LinkState::pending;
  if (on == DependencyOn::any || policy == OnDependencyFailed::run) return LinkState::met;
  if (upstream == Upstream::removed && was != LinkState::pending) return was;
  if (upstream == Upstream::skipped) return LinkState::skipped;
  const bool succeeded = upstream == Upstream::succeeded;
  if (on == DependencyOn::ok) return succeeded ? LinkState::met : LinkState::failed;
  return succeeded ? LinkState::skipped : LinkState::met;
}

void Links::add(LinkState state) {
  pending |= state == LinkState::pending;
  failed |= state == LinkState::failed;
  skipped |= state == LinkState::skipped;
}

Verdict decide(Standing standing, const Links& links, OnDependencyFailed policy) {
  if (standing == Standing::free) return Verdict::stay;
  if (standing == Standing::ended) return links.is_broken() ? Verdict::stay : Verdict::reopen;
  if (links.is_broken()) {
    const bool fails = links.failed && policy != OnDependencyFailed::cancel;
    return fails ? Verdict::fail : Verdict::skip;
  }
  return standing == Standing::blocked && !links.pending ? Verdict::start : Verdict::stay;
}

}  // namespace taskd
