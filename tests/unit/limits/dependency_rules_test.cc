// The rules of links, over all that they can be asked.
#include "daemon/limits/dependency_rules.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace taskd {
namespace {

constexpr DependencyOn kAllOns[] = {DependencyOn::ok, DependencyOn::any, DependencyOn::failed};
constexpr OnDependencyFailed kAllPolicies[] = {OnDependencyFailed::fail, OnDependencyFailed::cancel,
                                               OnDependencyFailed::run};

char letter_of(LinkState state) {
  return ".MFS"[static_cast<int>(state)];
}

TEST_CASE("a link means what its upstream's end and the dependant's wish make of it") {
  // Of a link that is pending, by how the upstream must end; the columns are kAllUpstreams: active,
  // succeeded, failed, skipped, removed.
  const std::map<DependencyOn, std::string> expected = {
      {DependencyOn::ok, ".MFSF"}, {DependencyOn::any, ".MMMM"}, {DependencyOn::failed, ".SMSM"}};
  for (const Standing standing : {Standing::blocked, Standing::held, Standing::ended}) {
    for (const DependencyOn on : kAllOns) {
      std::string means;
      std::string runs;
      for (const Upstream upstream : kAllUpstreams) {
        const auto pending = LinkState::pending;
        means += letter_of(judge(pending, upstream, on, OnDependencyFailed::fail, standing));
        CHECK(letter_of(judge(pending, upstream, on, OnDependencyFailed::cancel, standing)) ==
              means.back());
        runs += letter_of(judge(pending, upstream, on, OnDependencyFailed::run, standing));
      }
      CHECK(means == expected.at(on));
      CHECK(runs == ".MMMM");
    }
  }
}

TEST_CASE("what a link meant before counts only where it is met or the upstream is gone") {
  for (const LinkState was : kAllLinkStates) {
    for (const Upstream upstream : kAllUpstreams) {
      for (const DependencyOn on : kAllOns) {
        for (const OnDependencyFailed policy : kAllPolicies) {
          for (const Standing standing : kAllStandings) {
            const LinkState now = judge(was, upstream, on, policy, standing);
            CHECK(judge(now, upstream, on, policy, standing) == now);
            const bool waived = on == DependencyOn::any || policy == OnDependencyFailed::run;
            if (was == LinkState::met || standing == Standing::free) {
              CHECK(now == LinkState::met);
            } else if (upstream == Upstream::removed && !waived && was != LinkState::pending) {
              CHECK(now == was);
            } else {
              CHECK(now == judge(LinkState::pending, upstream, on, policy, standing));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("an upstream is what its state and its own links say") {
  for (const State state : kAllStates) {
    for (const bool broken : {false, true}) {
      Upstream expected = Upstream::active;
      if (state == State::succeeded) expected = Upstream::succeeded;
      if (state == State::failed) expected = Upstream::failed;
      if (state == State::cancelled) expected = broken ? Upstream::skipped : Upstream::failed;
      CHECK(upstream_of(state, broken) == expected);
    }
  }
  CHECK(upstream_of(std::nullopt, false) == Upstream::removed);
  CHECK(upstream_of(std::nullopt, true) == Upstream::removed);
}

TEST_CASE("a task stands to its links as its state says, and whether it waits for them") {
  for (const State state : kAllStates) {
    for (const bool waits : {false, true}) {
      for (const bool broken : {false, true}) {
        Standing expected = Standing::free;
        if (state == State::held) expected = Standing::held;
        if (state == State::blocked && waits) expected = Standing::blocked;
        if (is_end(state) && broken) expected = Standing::ended;
        CHECK(standing_of(state, waits, broken) == expected);
      }
    }
  }
}

TEST_CASE("what follows for a task is a table of its standing, its links and its policy") {
  // Rows: blocked, held, ended, free. Columns: links that are pending (1), failed (2), skipped (4)
  // in all combinations. Letters: - stay, > start, F fail, S skip, R reopen.
  const std::map<OnDependencyFailed, std::vector<std::string>> expected = {
      {OnDependencyFailed::fail, {">-FFSSFF", "--FFSSFF", "RR------", "--------"}},
      {OnDependencyFailed::cancel, {">-SSSSSS", "--SSSSSS", "RR------", "--------"}},
      {OnDependencyFailed::run, {">-FFSSFF", "--FFSSFF", "RR------", "--------"}}};
  for (const OnDependencyFailed policy : kAllPolicies) {
    std::vector<std::string> verdicts;
    for (const Standing standing : kAllStandings) {
      std::string& row = verdicts.emplace_back();
      for (const int links : {0, 1, 2, 3, 4, 5, 6, 7}) {
        const Links all{(links & 1) != 0, (links & 2) != 0, (links & 4) != 0};
        row += "->FSR"[static_cast<int>(decide(standing, all, policy))];
      }
    }
    CHECK(verdicts == expected.at(policy));
  }
}

// A task with three links, and what the rules make of it.
struct LinkedTask {
  struct Link {
    Upstream upstream;
    DependencyOn on;
    LinkState state;
    auto operator<=>(const Link&) const = default;
  };
  std::vector<Link> links;
  OnDependencyFailed policy;
  Standing standing;
  std::string happened;  // a letter for each verdict but `stay`
  auto operator<=>(const LinkedTask&) const = default;

  void update() {
    Links all;
    for (Link& link : links) {
      link.state = judge(link.state, link.upstream, link.on, policy, standing);
      all.add(link.state);
    }
    const Verdict verdict = decide(standing, all, policy);
    if (verdict == Verdict::start) standing = Standing::free;
    if (verdict == Verdict::fail || verdict == Verdict::skip) standing = Standing::ended;
    if (verdict == Verdict::reopen) standing = Standing::blocked;
    if (verdict != Verdict::stay) happened += "->FSR"[static_cast<int>(verdict)];
  }
};

template <typename Visit>
void for_all_tasks(const Visit& visit) {
  std::vector<LinkedTask::Link> links;
  for (const Upstream upstream : kAllUpstreams) {
    for (const DependencyOn on : kAllOns) {
      for (const LinkState state : kAllLinkStates) links.push_back({upstream, on, state});
    }
  }
  for (std::size_t a = 0; a < links.size(); ++a) {
    for (std::size_t b = a; b < links.size(); ++b) {
      for (std::size_t c = b; c < links.size(); ++c) {
        for (const OnDependencyFailed policy : kAllPolicies) {
          for (const Standing standing : kAllStandings) {
            visit(LinkedTask{{links[a], links[b], links[c]}, policy, standing, ""});
          }
        }
      }
    }
  }
}

TEST_CASE("asked again, the rules say what is there already") {
  std::int64_t wrong = 0;
  for_all_tasks([&](LinkedTask task) {
    task.update();
    task.update();  // what was reopened is asked about once more
    const LinkedTask settled = task;
    task.update();
    wrong += task != settled;
    // A task ends or comes back at most once, and never does both.
    wrong += settled.happened.size() > 2;
    wrong += settled.happened.size() == 2 && settled.happened != "R>";
  });
  CHECK(wrong == 0);
}

TEST_CASE("what a task ended with leaves it where it is while that is so") {
  std::int64_t wrong = 0;
  for_all_tasks([&](LinkedTask task) {
    if (task.standing != Standing::blocked) return;
    task.update();
    if (task.standing != Standing::ended) return;
    // Nothing changes but that the upstreams are removed.
    for (auto& link : task.links) {
      if (link.upstream != Upstream::active) link.upstream = Upstream::removed;
    }
    const LinkedTask before = task;
    task.update();
    wrong += task != before;
  });
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace taskd
