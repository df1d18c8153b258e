#include "daemon/api/http/user_shares.h"

#include <doctest/doctest.h>

namespace taskd {
namespace {

using Verdict = UserShares::Verdict;

constexpr Actor kAnna{1001, false};
constexpr Actor kBert{1002, false};
constexpr Actor kCarl{1003, false};
constexpr Actor kRoot{0, true};

ShareLimits limits_of(ShareLimit limit) {
  ShareLimits limits;
  limits.fill(limit);
  return limits;
}

TEST_CASE("nobody holds more than a share, and the others still get theirs") {
  UserShares shares(limits_of({10, 2, 5}));
  for (int i = 0; i < 5; ++i) CHECK(shares.take(kAnna, Holding::turns, 1) == Verdict::granted);
  CHECK(shares.take(kAnna, Holding::turns, 1) == Verdict::over_share);
  for (int i = 0; i < 3; ++i) CHECK(shares.take(kBert, Holding::turns, 1) == Verdict::granted);
  CHECK(shares.take(kBert, Holding::turns, 1) == Verdict::used_up);
  CHECK(shares.held_by(kAnna.uid, Holding::turns) == 5);
  CHECK(shares.held(Holding::turns) == 8);
}

TEST_CASE("a part of everything is kept for administrators, who have no share") {
  UserShares shares(limits_of({10, 2, 8}));
  CHECK(shares.take(kAnna, Holding::waits, 8) == Verdict::granted);
  CHECK(shares.take(kBert, Holding::waits, 1) == Verdict::used_up);
  CHECK(shares.take(kRoot, Holding::waits, 2) == Verdict::granted);
  CHECK(shares.take(kRoot, Holding::waits, 1) == Verdict::used_up);
  shares.give_back(kAnna.uid, Holding::waits, 8);
  CHECK(shares.take(kRoot, Holding::waits, 8) == Verdict::granted);
}

TEST_CASE("the first thing that a user holds may be larger than a share, and may grow alone") {
  UserShares shares(limits_of({100, 0, 10}));
  CHECK(shares.take(kAnna, Holding::work_bytes, 50) == Verdict::granted);
  CHECK(shares.take(kAnna, Holding::work_bytes, 1) == Verdict::over_share);
  CHECK(shares.take(kAnna, Holding::work_bytes, 30, /*already=*/50) == Verdict::granted);
  CHECK(shares.take(kBert, Holding::work_bytes, 21) == Verdict::used_up);
  CHECK_FALSE(shares.fits(kBert, Holding::work_bytes, 101));
  CHECK(shares.fits(kBert, Holding::work_bytes, 100));
}

TEST_CASE("what was refused holds nothing, and what is given back is there for others") {
  UserShares shares(limits_of({4, 0, 4}));
  CHECK(shares.take(kAnna, Holding::streams, 5) == Verdict::used_up);
  CHECK(shares.users() == 0);
  CHECK(shares.take(kAnna, Holding::streams, 4) == Verdict::granted);
  CHECK(shares.take(kBert, Holding::streams, 1) == Verdict::used_up);
  shares.give_back(kAnna.uid, Holding::streams, 4);
  CHECK(shares.users() == 0);
  CHECK(shares.take(kBert, Holding::streams, 4) == Verdict::granted);
  CHECK_THROWS_AS(shares.give_back(kAnna.uid, Holding::streams, 1), std::logic_error);
}

TEST_CASE("nothing at all is always granted, whoever holds what") {
  UserShares shares(limits_of({100, 20, 10}));
  CHECK(shares.take(kRoot, Holding::work_bytes, 100) == Verdict::granted);  // the reserve too
  CHECK(shares.take(kAnna, Holding::work_bytes, 0) == Verdict::granted);
  shares.give_back(kRoot.uid, Holding::work_bytes, 100);
  CHECK(shares.take(kAnna, Holding::work_bytes, 50) == Verdict::granted);  // over the share
  CHECK(shares.take(kAnna, Holding::work_bytes, 0) == Verdict::granted);
  CHECK(shares.held_by(kAnna.uid, Holding::work_bytes) == 50);
  CHECK(shares.users() == 1);
}

TEST_CASE("the largest holder is told of each resource by itself") {
  UserShares shares(limits_of({100, 0, 100}));
  CHECK(shares.largest_holder(Holding::output_bytes) == std::nullopt);
  shares.take(kAnna, Holding::output_bytes, 10);
  shares.take(kBert, Holding::output_bytes, 20);
  shares.take(kCarl, Holding::connections, 90);
  CHECK(shares.largest_holder(Holding::output_bytes) == kBert.uid);
  CHECK(shares.largest_holder(Holding::connections) == kCarl.uid);
  shares.give_back(kBert.uid, Holding::output_bytes, 15);
  CHECK(shares.largest_holder(Holding::output_bytes) == kAnna.uid);
}

}  // namespace
}  // namespace taskd
