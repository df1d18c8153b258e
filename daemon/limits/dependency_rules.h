// The rules of dependencies. A link says that a task depends on another, its upstream, and how the
// upstream must end.
//
// Pure: no SQL, no clock. The result depends only on the input, whatever the change was (an
// upstream ended, was retried or is about to be removed; the task was submitted, released or
// retried). The store records the result of judge() for each link and carries out the result of
// decide(). Repeating both changes nothing.
#pragma once

#include <optional>

#include "daemon/task/start_constraints.h"
#include "daemon/task/task.h"

namespace taskd {

// The latest judgement of a link. Stored with the link, since the upstream may be removed.
enum class LinkState {
  pending,  // the upstream has not ended
  met,      // it ended as required, or a person or the policy waived it. Final
  failed,   // it ended otherwise: something the task needed has failed
  skipped,  // nothing failed, but the failure that the task waits for did not happen, or the
            // upstream was itself skipped
};
inline constexpr LinkState kAllLinkStates[] = {LinkState::pending, LinkState::met,
                                               LinkState::failed, LinkState::skipped};

// The state of the upstream. `skipped`: cancelled because of its own links. `removed`: its links
// keep their latest judgement.
enum class Upstream { active, succeeded, failed, skipped, removed };
inline constexpr Upstream kAllUpstreams[] = {
    Upstream::active, Upstream::succeeded, Upstream::failed, Upstream::skipped, Upstream::removed};
// `broken_link`: one of the upstream's own links is failed or skipped.
Upstream upstream_of(std::optional<State> state, bool broken_link);

// Where the task itself stands with its links.
enum class Standing {
  blocked,  // it waits for its links
  held,     // it waits for its links, and is held by a person too
  ended,    // it failed or was cancelled because of its links; it returns if they recover
  free,     // its links no longer matter: it got past them, or ended for another reason
};
inline constexpr Standing kAllStandings[] = {Standing::blocked, Standing::held, Standing::ended,
                                             Standing::free};
// `waits`: it is blocked, because of its links. `broken_link`: one of its links is failed or
// skipped.
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

// What happens to the task.
enum class Verdict {
  stay,    // nothing
  start,   // it no longer waits for its links
  fail,    // something it needed has failed
  skip,    // it is cancelled: by its policy, or because what it waits for will not happen
  reopen,  // no link is broken any more: it is blocked again; then decide once more
};
Verdict decide(Standing standing, const Links& links, OnDependencyFailed policy);

}  // namespace taskd
