#include "daemon/engine/progress_board.h"

#include <doctest/doctest.h>

#include "tests/unit/engine/store_fixture.h"

using namespace taskd;
using namespace taskd::test;

namespace {

struct BoardFixture : StoreFixture {
  BoardFixture() : board(*store, clock, [](const std::string&) { std::abort(); }) {}

  AttemptKey run() {
    submit();
    const Claim claim = store->claim(1).claims.at(0);
    return {claim.task, claim.attempt, claim.token};
  }
  ProgressBoard board;
};

}  // namespace

TEST_CASE("of many reports the latest is written, and what one leaves out stays") {
  BoardFixture f;
  const AttemptKey attempt = f.run();
  for (int percent = 0; percent <= 45; ++percent) {
    CHECK(f.board.report(attempt, {percent, "packing"}));
  }
  CHECK(f.board.report(attempt, {50, {}}));
  CHECK_FALSE(f.get(attempt.task).progress);
  f.board.start();
  f.board.stop();
  CHECK(f.get(attempt.task).progress == Progress{50, "packing"});
  CHECK(f.get(attempt.task).progress_at == f.clock.wall_now());
}

TEST_CASE("however many jobs report, one commit holds what they said") {
  BoardFixture f;
  int commits = 0;
  std::vector<AttemptKey> attempts;
  for (int i = 0; i < 20; ++i) attempts.push_back(f.run());
  f.on_commit = [&](std::span<const Change>) { ++commits; };
  for (int round = 0; round < 50; ++round) {
    for (const AttemptKey& attempt : attempts) f.board.report(attempt, {round, {}});
  }
  f.board.start();
  f.board.stop();
  CHECK(commits <= 1);
  for (const AttemptKey& attempt : attempts) CHECK(f.get(attempt.task).progress->percent == 49);
}

TEST_CASE("a report under a wrong token or of an attempt that ended is refused") {
  BoardFixture f;
  const AttemptKey attempt = f.run();
  CHECK_FALSE(f.board.report({attempt.task, attempt.attempt, "guess"}, {1, {}}));
  CHECK_FALSE(f.board.report({attempt.task, 2, attempt.token}, {1, {}}));
  CHECK_FALSE(f.board.report({99, 1, attempt.token}, {1, {}}));
  AttemptEnd end;
  end.outcome = {OutcomeKind::exited, 0, {}};
  const Finish finish{attempt.task, attempt.attempt, attempt.token, end};
  f.store->finish({&finish, 1}, 0);
  CHECK_FALSE(f.board.report(attempt, {1, {}}));
}

TEST_CASE("a watched task was last heard of when it reported") {
  BoardFixture f;
  const AttemptKey attempt = f.run();
  const ProgressWatch watch(f.board, attempt.task);
  const BootTime begun = f.clock.boot_now();
  CHECK(watch.last_heard() == begun);
  f.clock.boot_ms += 100;
  CHECK_FALSE(f.board.report({attempt.task, 1, "guess"}, {}));
  CHECK(watch.last_heard() == begun);
  CHECK(f.board.report(attempt, {}));
  CHECK(watch.last_heard() == begun + 100);
}
