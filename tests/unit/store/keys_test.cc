// Keys: what shares one is bound by its limits, whatever the queue.
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

using Ids = std::vector<TaskId>;

struct KeysFixture : Fixture {
  NewTask keyed(std::optional<int> limit = {}, int priority = 0, const std::string& key = "k") {
    NewTask one = task(priority);
    one.spec.constraints.key = {key, limit, std::nullopt};
    return one;
  }
  NewTask rated(std::int64_t count, std::int64_t per_ms) {
    NewTask one = task();
    one.spec.constraints.key = {"k", std::nullopt, RateLimit{count, per_ms}};
    return one;
  }
  Ids claim_all() {
    Ids ids;
    const Claims taken = store->claim(1000);
    CHECK_FALSE(taken.more);
    for (const Claim& claim : taken.claims) {
      ids.push_back(claim.task);
      live[claim.task] = claim;
    }
    return ids;
  }
  void end(TaskId id) {
    CHECK(finish(live.at(id)));
    live.erase(id);
  }
  std::map<TaskId, Claim> live;
};

TEST_CASE_FIXTURE(KeysFixture, "a key without limits lets one of its tasks run at a time") {
  submit(keyed());
  submit(keyed());
  submit(task());
  CHECK(state(1) == State::queued);
  CHECK(state(2) == State::blocked);
  CHECK(claim_all() == Ids{1, 3});
  end(1);
  CHECK(state(2) == State::queued);
  CHECK(claim_all() == Ids{2});
  CHECK(events_of(2) == std::vector<std::string>{"submitted", "unblocked", "claimed"});
}

TEST_CASE_FIXTURE(KeysFixture, "a key's limit holds over queues and a restart") {
  store->set_queue(kRoot, {.name = "other"}, true);
  for (int i = 0; i < 4; ++i) {
    NewTask one = keyed(2);
    one.spec.queue = i % 2 == 0 ? "default" : "other";
    submit(one);
  }
  CHECK(claim_all().size() == 2);
  restart();
  CHECK(claim_all().empty());
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'blocked'") == 2);
  end(live.begin()->first);
  CHECK(claim_all().size() == 1);
}

TEST_CASE_FIXTURE(KeysFixture, "a key of a paused queue holds up no other queue") {
  store->set_queue(kRoot, {.name = "other"}, true);
  store->control_queue(kRoot, "other", QueueVerb::pause);
  NewTask stuck = keyed();
  stuck.spec.queue = "other";
  submit(stuck);
  submit(keyed());
  CHECK(claim_all() == Ids{2});
  CHECK(state(1) == State::blocked);
  end(2);
  CHECK(state(1) == State::queued);
}

TEST_CASE_FIXTURE(KeysFixture, "the better of a key's tasks goes first, however late it came") {
  submit(keyed());
  submit(keyed());
  submit(keyed({}, 5));
  CHECK(state(1) == State::blocked);
  CHECK(state(3) == State::queued);
  CHECK(claim_all() == Ids{3});
  end(3);
  CHECK(claim_all() == Ids{1});
  CHECK(events_of(1) == std::vector<std::string>{"submitted", "blocked", "unblocked", "claimed"});
}

TEST_CASE_FIXTURE(KeysFixture, "the latest limit that a submit names is the key's") {
  for (int i = 0; i < 3; ++i) submit(keyed());
  submit(keyed(3));
  CHECK(claim_all() == Ids{1, 2, 3});
  submit(keyed(1));
  end(1);
  end(2);
  CHECK(claim_all().empty());
  end(3);
  CHECK(claim_all() == Ids{4});
}

TEST_CASE_FIXTURE(KeysFixture, "what leaves the line makes room for the next of its key") {
  for (int i = 0; i < 4; ++i) submit(keyed());
  control(Verb::cancel, 1);
  CHECK(state(2) == State::queued);
  control(Verb::hold, 2);
  CHECK(state(3) == State::queued);
  control(Verb::release, 2);
  CHECK(state(2) == State::queued);
  CHECK(state(3) == State::blocked);
  control(Verb::cancel, 3);
  CHECK(claim_all() == Ids{2});
}

TEST_CASE_FIXTURE(KeysFixture, "a retry and a due task wait for their key like any other") {
  submit(keyed());
  NewTask later = keyed();
  later.delay_ms = 1000;
  submit(later);
  claim_all();
  clock.wall_ms += 1000;
  store->promote(clock.wall_now(), 10);
  CHECK(state(2) == State::blocked);
  end(1);
  CHECK(claim_all() == Ids{2});
  control(Verb::retry, 1);
  CHECK(state(1) == State::blocked);
}

TEST_CASE_FIXTURE(KeysFixture,
                  "a clock that is put back holds no key up for longer than its rate") {
  for (int i = 0; i < 2; ++i) submit(rated(1, 60'000));
  claim();
  clock.wall_ms -= 3'600'000;
  store->rewind_clock(clock.wall_now());
  store->promote(clock.wall_now(), 10);
  clock.wall_ms += 60'000;
  store->promote(clock.wall_now(), 10);
  CHECK(store->claim(1).claims.size() == 1);
}

TEST_CASE_FIXTURE(KeysFixture, "a key's rate lets tasks start as time goes, over a restart too") {
  for (int i = 0; i < 4; ++i) submit(rated(2, 10'000));
  CHECK(claim_all() == Ids{1, 2});
  CHECK(state(3) == State::blocked);
  restart();
  CHECK(store->promote(clock.wall_now(), 10) == clock.wall_now() + 10'000);
  CHECK(claim_all().empty());
  clock.wall_ms += 10'000;
  CHECK_FALSE(store->promote(clock.wall_now(), 10));
  CHECK(claim_all() == Ids{3, 4});
}

TEST_CASE_FIXTURE(
    KeysFixture,
    "a start that a rate gives back is not kept by a first in line that does not fit") {
  machine.resources["gpu"] = {1, {}};
  restart();
  NewTask needs_gpu = task();
  needs_gpu.spec.constraints.resources["gpu"] = 1;
  submit(needs_gpu);
  submit(rated(2, 10'000));
  CHECK(claim_all() == Ids{1, 2});
  NewTask both = rated(2, 10'000);
  both.spec.constraints.resources["gpu"] = 1;
  submit(both);
  submit(rated(2, 10'000));
  CHECK(state(3) == State::queued);
  CHECK(state(4) == State::blocked);
  CHECK(store->promote(clock.wall_now(), 500) == clock.wall_now() + 10'000);
  clock.wall_ms += 10'000;
  store->promote(clock.wall_now(), 500);
  CHECK(claim_all() == Ids{4});
}

TEST_CASE_FIXTURE(KeysFixture, "keys of different users are apart, and go with their last task") {
  submit(keyed(), kAlice);
  submit(keyed(), kBob);
  CHECK(claim_all() == Ids{1, 2});
  CHECK(store->has_key(kAlice, "k"));
  CHECK_FALSE(store->has_key(kAlice, "other"));
  end(1);
  control(Verb::remove, 1);
  CHECK(texts("SELECT uid FROM keys") == std::vector<std::string>{"1001"});
  CHECK_FALSE(store->has_key(kAlice, "k"));
  CHECK(store->has_key(kBob, "k"));
  CHECK(store->has_key(kRoot, "k"));
}

TEST_CASE_FIXTURE(KeysFixture, "a refused submit leaves no key and no limit behind") {
  submit(keyed(2));
  NewTask bad = keyed(1);
  bad.spec.constraints.depends_on = {{99, DependencyOn::ok}};
  CHECK(std::holds_alternative<UnknownDependency>(try_submit({keyed(1, 0, "new"), bad})));
  CHECK(texts("SELECT name || concurrency FROM keys") == std::vector<std::string>{"k2"});
}

TEST_CASE_FIXTURE(KeysFixture, "a key's limits can be changed and taken away, at once for all") {
  for (int i = 0; i < 5; ++i) submit(keyed());
  CHECK(claim_all() == Ids{1});
  const KeyInfo two = std::get<KeyInfo>(store->set_key(kAlice, {.name = "k", .limit = 2}));
  CHECK(two.limit == 2);
  CHECK(two.running == 1);
  CHECK(two.queued == 1);
  CHECK(two.blocked == 3);
  CHECK(claim_all() == Ids{2});
  store->set_key(kAlice, {.name = "k", .limit = std::optional<int>()});
  CHECK(claim_all() == Ids{3, 4, 5});
  store->set_key(kAlice, {.name = "k", .limit = 1});
  submit(keyed({}));
  CHECK(state(6) == State::blocked);
  CHECK(number("SELECT count(*) FROM events WHERE type = 'key_set' AND actor_uid = 1000") == 3);
}

TEST_CASE_FIXTURE(KeysFixture, "a key's rate can be set, and the start it delays is told") {
  submit(keyed());
  submit(keyed());
  store->set_key(
      kAlice,
      {.name = "k", .limit = std::optional<int>(), .rate = std::optional(RateLimit{3, 60'000, 1})});
  CHECK(claim_all() == Ids{1});
  const KeyInfo key = store->keys({.actor = kAlice}).keys.at(0);
  CHECK_FALSE(key.limit);
  CHECK(key.rate == RateLimit{3, 60'000, 1});
  CHECK(key.next_start_at == clock.wall_now() + 20'000);
  store->set_key(kAlice, {.name = "k", .rate = std::optional<RateLimit>()});
  CHECK(claim_all() == Ids{2});
}

TEST_CASE_FIXTURE(KeysFixture, "a faster rate does not wait for what the slower one would have") {
  submit(rated(1, 3'600'000));
  CHECK(claim_all() == Ids{1});
  SUBCASE("set by hand") {
    submit(task());
    submit(rated(1, 3'600'000));
    store->set_key(kAlice, {.name = "k", .rate = std::optional(RateLimit{10, 1000})});
  }
  SUBCASE("by a submit") {
    submit(task());
    submit(rated(10, 1000));
  }
  store->promote(clock.wall_now(), 10);
  CHECK(claim_all() == Ids{2, 3});
}

TEST_CASE_FIXTURE(KeysFixture, "keys are listed, the newest first, to those whose they are") {
  submit(keyed({}, 0, "a"));
  submit(keyed({}, 0, "b"));
  submit(keyed({}, 0, "a"), kBob);
  const auto names = [&](KeysRequest request) {
    std::vector<std::string> all;
    for (const KeyInfo& key : store->keys(request).keys) {
      all.push_back(key.name + " " + std::to_string(key.uid));
    }
    return all;
  };
  using Names = std::vector<std::string>;
  CHECK(names({.actor = kRoot}) == Names{"a 1001", "b 1000", "a 1000"});
  CHECK(names({.actor = kRoot, .limit = 2}) == Names{"a 1001", "b 1000"});
  CHECK(names({.actor = kRoot, .before = store->keys({.actor = kRoot}).keys.at(1).id}) ==
        Names{"a 1000"});
  CHECK(names({.actor = kRoot, .uid = kBob.uid}) == Names{"a 1001"});
  CHECK(names({.actor = kRoot, .name = "a"}) == Names{"a 1001", "a 1000"});
  CHECK(names({.actor = kAlice}) == Names{"b 1000", "a 1000"});
  CHECK(names({.actor = kAlice, .uid = kBob.uid}).empty());
  CHECK(names({.actor = kBob, .name = "b"}).empty());
  claim_all();
  end(2);
  CHECK(names({.actor = kAlice, .active = true}) == Names{"a 1000"});
  CHECK(names({.actor = kAlice}) == Names{"b 1000", "a 1000"});
}

TEST_CASE_FIXTURE(KeysFixture, "a key is set by its owner alone, or by an admin who says whose") {
  submit(keyed({}, 0, "mine"));
  submit(keyed({}, 0, "both"));
  submit(keyed({}, 0, "both"), kBob);
  const KeyPatch mine{.name = "mine", .limit = 3};
  CHECK(std::holds_alternative<UnknownKey>(store->set_key(kBob, mine)));
  KeyPatch of_alice = mine;
  of_alice.uid = kAlice.uid;
  CHECK(std::holds_alternative<UnknownKey>(store->set_key(kBob, of_alice)));
  CHECK(std::holds_alternative<UnknownKey>(store->set_key(kAlice, {.name = "none", .limit = 3})));
  CHECK(store->keys({.actor = kAlice, .name = "mine"}).keys.at(0).limit == 1);
  CHECK(std::get<KeyInfo>(store->set_key(kRoot, mine)).limit == 3);

  const auto several = store->set_key(kRoot, {.name = "both", .limit = 2});
  CHECK(std::get<AmbiguousKey>(several).uids == std::vector<std::uint32_t>{kAlice.uid, kBob.uid});
  CHECK(
      std::get<KeyInfo>(store->set_key(kRoot, {.name = "both", .uid = kBob.uid, .limit = 2})).uid ==
      kBob.uid);
  CHECK(store->keys({.actor = kAlice, .name = "both"}).keys.at(0).limit == 1);
}

}  // namespace
}  // namespace taskd
