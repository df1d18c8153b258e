// What a task's links mean now. A link says that a task depends on another, its upstream, and how
// that one must end.
//
// Pure: no SQL, no clock. Whatever has changed (an upstream ended, was tried again or is about to
// be removed; the task was submitted, released or tried again), the answer is the same for the same
// input. The store writes down what judge() says of each link and does what decide() says; asked
// again, both then say what is there already.
#pragma once

#include <optional>

#include "daemon/task/start_constraints.h"
#include "daemon/task/task.h"

namespace taskd {

// What a link meant when it was last judged. It is kept with the link, since the upstream may be
// removed.
enum class LinkState {
  pending,  // the upstream has not ended
  met,      // it ended as it had to, or a person or the policy does without it. Stays so for ever
  failed,   // it ended otherwise: what the task needed has gone wrong
  skipped,  // nothing has gone wrong, but the failure that the task waits for did not come, or the
            // upstream itself was skipped
};
inline constexpr LinkState kAllLinkStates[] = {LinkState::pending, LinkState::met,
                                               LinkState::failed, LinkState::skipped};

// The other end of a link. `skipped`: it was cancelled because of its own links. `removed` is never
// the answer to anything: its links keep what they meant before.
enum class Upstream { active, succeeded, failed, skipped, removed };
inline constexpr Upstream kAllUpstreams[] = {
    Upstream::active, Upstream::succeeded, Upstream::failed, Upstream::skipped, Upstream::removed};
// `broken_link`: one of the upstream's own links is failed or skipped.
Upstream upstream_of(std::optional<State> state, bool broken_link);

// How the task itself stands to its links.
enum class Standing {
  blocked,  // it waits for them
  held,     // it would, and waits for a person besides
  ended,    // it failed or was cancelled because of them, and comes back when they mend
  free,     // they do not concern it: it got past them, or ended otherwise
};
inline constexpr Standing kAllStandings[] = {Standing::blocked, Standing::held, Standing::ended,
                                             Standing::free};
// `waits`: it is blocked, and on its links. `broken_link`: as of an upstream.
Standing standing_of(State state, bool waits, bool broken_link);

LinkState judge(LinkState was, Upstream upstream, DependencyOn on, OnDependencyFailed policy,
                Standing standing);

// All links of a task together.
struct Links {
  bool pending = false;
  bool failed = false;
  bool skipped = false;
  void add(LinkState state);
  bool is_broken() const { return failed || skipped; }
  bool are_met() const { return !pending && !is_broken(); }
};

// What follows for the task.
enum class Verdict {
  stay,    // nothing
  start,   // it waits for its links no more
  fail,    // what it needed has gone wrong
  skip,    // it is cancelled: by its policy, or because what it waits for will not happen
  reopen,  // nothing is broken any more: it is blocked again, and asked about once more
};
Verdict decide(Standing standing, const Links& links, OnDependencyFailed policy);

}  // namespace taskd
