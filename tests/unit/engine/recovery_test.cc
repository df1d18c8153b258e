#include "daemon/engine/recovery.h"

#include <doctest/doctest.h>

#include "tests/unit/engine/store_fixture.h"

using namespace taskd;
using namespace taskd::test;

TEST_CASE("recovery records ends, adopts the living and applies the policy to the lost") {
  StoreFixture f;
  FakeLauncher launcher;
  for (int i = 0; i < 4; ++i) f.submit();
  NewTask once;
  once.spec.on_lost = OnLost::fail;
  f.submit(once);
  REQUIRE(f.store->claim(5).claims.size() == 5);
  launcher.record(1, {OutcomeKind::exited, 3, ""});
  launcher.record(2, {OutcomeKind::lost, 0, ""});
  launcher.record(3, {OutcomeKind::not_started, 0, ""});
  launcher.record(5, {OutcomeKind::lost, 0, ""});
  const Recovery recovery = recover(*f.store, launcher);
  CHECK(recovery.ended == 1);
  CHECK(recovery.lost == 2);
  CHECK(recovery.not_started == 1);
  REQUIRE(recovery.adopted.size() == 1);
  CHECK(recovery.adopted.front().claim.task == 4);
  CHECK(f.get(1).reason == Reason::exit);
  CHECK(f.get(2).state == State::queued);
  CHECK(f.get(2).lost == 1);
  CHECK(f.get(3).state == State::queued);
  CHECK(f.get(3).attempt == 0);
  CHECK(f.get(4).state == State::running);
  CHECK(f.get(5).reason == Reason::lost);
}
