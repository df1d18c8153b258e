// Tasks that are not to be there twice.
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

using Ids = std::vector<TaskId>;

struct UniqueFixture : Fixture {
  static NewTask unique(std::int64_t for_ms = 0, std::optional<UniqueWhile> while_state = {}) {
    NewTask one = task();
    one.spec.constraints.unique = {"u", for_ms, while_state};
    return one;
  }
  Submitted give(NewTask one, Actor actor = kAlice, std::string key = "") {
    return std::get<Submitted>(try_submit({std::move(one)}, actor, std::move(key)));
  }
};

TEST_CASE_FIXTURE(UniqueFixture, "a unique task comes back as long as it has not ended") {
  CHECK_FALSE(give(unique()).any_existing);
  const Submitted again = give(unique());
  CHECK(again.any_existing);
  CHECK(again.ids == Ids{1});
  CHECK(again.tasks.empty());
  const Claim running = claim();
  CHECK(give(unique()).ids == Ids{1});
  finish(running);
  CHECK(give(unique()).ids == Ids{2});
  CHECK(give(unique(), kBob).ids == Ids{3});
}

TEST_CASE_FIXTURE(UniqueFixture, "one that is unique while queued may come again once it runs") {
  give(unique());
  CHECK(give(unique(0, UniqueWhile::queued)).ids == Ids{1});
  claim();
  CHECK(give(unique(0, UniqueWhile::queued)).ids == Ids{2});
}

TEST_CASE_FIXTURE(UniqueFixture, "one that is unique for a time is so whatever became of it") {
  NewTask first = unique(60'000);
  first.spec.keep_ms = 0;
  give(first);
  finish(claim());
  clock.wall_ms += 59'999;
  store->prune(clock.wall_now(), 10);
  CHECK(give(unique(60'000)).ids == Ids{1});
  clock.wall_ms += 1;
  CHECK(give(unique(60'000)).ids == Ids{2});
  store->prune(clock.wall_now(), 10);
  CHECK_FALSE(store->get(kRoot, 1));
}

TEST_CASE_FIXTURE(UniqueFixture, "a batch tells new from old, and repeats its answer") {
  give(unique());
  const auto batch = [&] {
    return std::get<Submitted>(try_submit({task(), unique(), task()}, kAlice, "key"));
  };
  const Submitted first = batch();
  CHECK(first.ids == Ids{2, 1, 3});
  CHECK(first.existing == std::vector<bool>{false, true, false});
  const Submitted again = batch();
  CHECK(again.repeated);
  CHECK(again.ids == Ids{2, 1, 3});
  CHECK(number("SELECT count(*) FROM tasks") == 3);
}

TEST_CASE_FIXTURE(UniqueFixture, "two of a kind in one batch are one") {
  const auto both = std::get<Submitted>(try_submit({unique(), unique()}));
  CHECK(both.ids == Ids{1, 1});
}

TEST_CASE_FIXTURE(UniqueFixture, "a full queue still gives the task that is there") {
  give(unique());
  store->set_queue(kRoot, {.name = "default", .capacity = 1}, false);
  CHECK(give(unique()).ids == Ids{1});
  CHECK(std::holds_alternative<QueueFull>(try_submit({task()})));
}

TEST_CASE_FIXTURE(UniqueFixture, "a retry does not run a task beside another of its key") {
  give(unique());
  control(Verb::cancel, 1);
  give(unique());
  ControlRequest request;
  request.actor = kAlice;
  request.verb = Verb::retry;
  request.ids = {1};
  CHECK(std::get<WrongState>(store->control(request)).duplicate == 2);
  request.ids.clear();
  request.filter.emplace();
  CHECK(std::get<std::vector<ControlChange>>(store->control(request)).empty());
  control(Verb::cancel, 2);
  request.dry_run = true;
  CHECK(std::get<Preview>(store->control(request)).first == Ids{1});
  request.dry_run = false;
  CHECK(std::get<std::vector<ControlChange>>(store->control(request)).size() == 1);
  CHECK(state(1) == State::queued);
  CHECK(state(2) == State::cancelled);
  control(Verb::cancel, 1);
  request.filter.reset();
  request.ids = {1, 2};
  CHECK(std::get<WrongState>(store->control(request)).duplicate == 1);
  CHECK(state(1) == State::cancelled);
}

TEST_CASE_FIXTURE(UniqueFixture, "a revival runs no task beside another of its key") {
  submit();
  NewTask after = unique();
  after.spec.constraints.depends_on = {{1, DependencyOn::ok}};
  give(after);
  finish(claim(), OutcomeKind::exited, 1);
  REQUIRE(state(2) == State::failed);
  CHECK(give(unique()).ids == Ids{3});
  control(Verb::retry, 1);
  CHECK(state(2) == State::failed);
  CHECK(state(3) == State::queued);
  control(Verb::cancel, 3);
  control(Verb::retry, 2);
  CHECK(state(2) == State::blocked);  // it can be tried again by hand, and waits again
}

TEST_CASE_FIXTURE(UniqueFixture, "a unique time is counted from the latest of many") {
  const auto steps_of = [&](std::int64_t for_ms) { return give(unique(for_ms)).any_existing; };
  CHECK_FALSE(steps_of(10));
  for (int i = 0; i < 5; ++i) {
    clock.wall_ms += 10;
    CHECK_FALSE(steps_of(10));
    clock.wall_ms += 9;
    CHECK(steps_of(10));
  }
}

}  // namespace
}  // namespace taskd
