// Arrays: tasks that differ in an index alone.
#include <numeric>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

struct ArraysFixture : Fixture {
  static NewTask array(std::int64_t first, std::int64_t last, int at_once = 0) {
    NewTask one = task();
    one.array = ArrayRange{first, last, 1, at_once};
    return one;
  }
  void expand() {
    while (store->promote(clock.wall_now(), 10) == clock.wall_now()) {
    }
  }
};

TEST_CASE_FIXTURE(ArraysFixture,
                  "each index is a task of its own, and their ids follow each other") {
  submit();
  NewTask odd = array(1, 9);
  odd.array->step = 2;
  CHECK(submit(odd) == 2);
  CHECK(number("SELECT count(*) FROM tasks WHERE array_id = 2") == 5);
  CHECK(get(2).array == ArrayPlace{2, 1});
  CHECK(get(6).array == ArrayPlace{2, 9});
  CHECK(submit() == 7);
  claim();
  const Claim second = claim();
  CHECK(second.array == ArrayPlace{2, 1});
}

TEST_CASE_FIXTURE(ArraysFixture, "no more than so many of an array run at once") {
  submit(array(0, 9, 3));
  submit(array(0, 9, 2));
  CHECK(store->claim(100).claims.size() == 5);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'blocked'") == 15);
}

TEST_CASE_FIXTURE(ArraysFixture,
                  "a large array is completed after its submit, over a restart too") {
  submit(array(1, 2'500));
  CHECK(number("SELECT count(*) FROM tasks") == 1'000);
  // Its ids are set aside.
  CHECK(submit() == 2'501);
  store->promote(clock.wall_now(), 10);
  CHECK(number("SELECT count(*) FROM tasks") == 2'001);
  restart();
  expand();
  CHECK(number("SELECT count(*) FROM tasks") == 2'501);
  CHECK(get(2'500).array == ArrayPlace{1, 2'500});
  CHECK(number("SELECT count(*) FROM arrays_to_expand") == 0);
  CHECK(number("SELECT sum(count) FROM counters") == 2'501);
}

TEST_CASE_FIXTURE(ArraysFixture, "what an array came after may be removed before it is complete") {
  submit();
  NewTask after = array(1, 1'100);
  after.spec.flow.depends_on = {{1, DependencyOn::ok}};
  submit(after);
  finish(claim());
  control(Verb::remove, 1);
  expand();
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 1'100);
}

TEST_CASE_FIXTURE(ArraysFixture,
                  "what succeeded and is removed has not failed, for all of an array") {
  submit();
  NewTask after = array(1, 1'100);
  after.spec.flow.depends_on = {{1, DependencyOn::failed}};
  submit(after);
  finish(claim());
  control(Verb::remove, 1);
  expand();
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'cancelled'") == 1'100);
}

TEST_CASE_FIXTURE(ArraysFixture, "an array is there for its owner as long as any of it is") {
  submit(array(1, 1'100));
  const auto seen = [&] {
    return std::vector<bool>{store->has_array(kAlice, 1), store->has_array(kRoot, 1),
                             store->has_array(kBob, 1), store->has_array(kAlice, 2)};
  };
  CHECK(seen() == std::vector<bool>{true, true, false, false});
  std::vector<TaskId> made(1'000);
  std::iota(made.begin(), made.end(), 1);
  control(Verb::cancel, made);
  control(Verb::remove, made);
  REQUIRE(number("SELECT count(*) FROM tasks") == 0);
  CHECK(seen() == std::vector<bool>{true, true, false, false});
}

TEST_CASE_FIXTURE(ArraysFixture, "what failed before an array is complete fails all of it") {
  submit();
  NewTask after = array(1, 1'100);
  after.spec.flow.depends_on = {{1, DependencyOn::ok}};
  submit(after);
  finish(claim(), OutcomeKind::exited, 1);
  control(Verb::remove, 1);
  expand();
  CHECK(number("SELECT count(*) FROM tasks WHERE reason = 'dependency'") == 1'100);
}

TEST_CASE_FIXTURE(ArraysFixture, "a queue that an array is not complete in is in use") {
  store->set_queue(kRoot, {.name = "q"}, true);
  NewTask one = array(1, 1'100);
  one.spec.queue = "q";
  submit(one);
  std::vector<TaskId> made(1'000);
  std::iota(made.begin(), made.end(), 1);
  control(Verb::cancel, made);
  control(Verb::remove, made);
  CHECK(std::holds_alternative<QueueInUse>(store->remove_queue(kRoot, "q")));
  expand();
  CHECK(number("SELECT count(*) FROM tasks") == 100);
}

TEST_CASE_FIXTURE(ArraysFixture, "a delayed and a held array stay so to the last index") {
  NewTask later = array(1, 1'100, 5);
  later.delay_ms = 60'000;
  submit(later);
  NewTask held = array(1, 1'100);
  held.hold = true;
  submit(held);
  while (number("SELECT count(*) FROM arrays_to_expand") > 0) store->promote(clock.wall_now(), 10);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'scheduled'") == 1'100);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'held'") == 1'100);
}

TEST_CASE_FIXTURE(ArraysFixture, "an array must fit into its queue as a whole") {
  store->set_queue(kRoot, {.name = "default", .capacity = 10}, false);
  CHECK(std::holds_alternative<QueueFull>(try_submit({array(1, 11)})));
  CHECK(number("SELECT count(*) FROM tasks") == 0);
  submit(array(1, 10));
}

TEST_CASE_FIXTURE(ArraysFixture, "what of an array is not made yet takes its room in the queue") {
  store->set_queue(kRoot, {.name = "default", .capacity = 1'200}, false);
  submit(array(1, 1'100));
  CHECK(number("SELECT count(*) FROM tasks") == 1'000);
  CHECK(std::holds_alternative<QueueFull>(try_submit({array(1, 101)})));
  submit(array(1, 100));
  CHECK(std::holds_alternative<QueueFull>(try_submit({task()})));
  expand();
  CHECK(number("SELECT count(*) FROM tasks") == 1'200);
  CHECK(std::holds_alternative<QueueFull>(try_submit({task()})));
}

TEST_CASE_FIXTURE(ArraysFixture, "many arrays of one submit share what is made with it") {
  std::vector<NewTask> many(100, array(1, 50));
  try_submit(many);
  CHECK(number("SELECT count(*) FROM tasks") == 1'000);
  CHECK(submit() == 5'001);
  expand();
  CHECK(number("SELECT count(*) FROM tasks") == 5'001);
  CHECK(number("SELECT max(id) FROM tasks WHERE array_id = 4951") == 5'000);
}

TEST_CASE_FIXTURE(ArraysFixture, "a repeated key gives the array's first task") {
  const auto give = [&] { return std::get<Submitted>(try_submit({array(1, 5)}, kAlice, "key")); };
  CHECK(give().ids == std::vector<TaskId>{1});
  CHECK(give().ids == std::vector<TaskId>{1});
  CHECK(number("SELECT count(*) FROM tasks") == 5);
}

TEST_CASE_FIXTURE(ArraysFixture, "a hold, a move and a release reach what is not made yet") {
  store->set_queue(kRoot, {.name = "other"}, true);
  store->set_queue(kRoot, {.name = "small", .capacity = 1'000}, true);
  const TaskId first = submit(array(1, 2'100));
  ControlRequest request;
  request.actor = kAlice;
  request.filter.emplace();
  request.filter->array = first;
  const auto unmade = [&](Verb verb, const std::string& queue = "") {
    request.verb = verb;
    request.queue = queue;
    request.dry_run = true;
    const Preview preview = std::get<Preview>(store->control(request));
    request.dry_run = false;
    const bool is_full = std::holds_alternative<QueueFull>(store->control(request));
    CHECK(is_full == !preview.full_queue.empty());
    return preview.unmade;
  };
  CHECK(unmade(Verb::hold) == 1'100);
  CHECK(unmade(Verb::hold) == 0);
  CHECK(unmade(Verb::move, "other") == 1'100);
  CHECK(unmade(Verb::move, "small") == 0);  // which has no room for these, so all stays
  expand();
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'held'") == 2'100);
  CHECK(number("SELECT count(*) FROM tasks WHERE queue = 'other'") == 2'100);
  const TaskId second = submit(array(1, 1'100));
  request.filter->array = second;
  CHECK(unmade(Verb::hold) == 100);
  CHECK(unmade(Verb::release) == 100);
  expand();
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 1'100);
}

TEST_CASE_FIXTURE(ArraysFixture, "another limit holds for what is not made yet, too") {
  submit(array(1, 2'500, 3));
  const KeyPatch patch{.name = "#array-1", .limit = 5};
  CHECK(std::get<KeyInfo>(store->set_key(kAlice, patch)).blocked == 995);
  expand();
  CHECK(store->keys({.actor = kAlice}).at(0).limit == 5);
  CHECK(store->claim(100).claims.size() == 5);

  NewTask named = array(1, 1'500);
  named.spec.flow.key = {"k", 4, std::nullopt};
  submit(named);
  store->set_key(kAlice, {.name = "k", .limit = 1});
  expand();
  CHECK(store->keys({.actor = kAlice, .name = "k"}).at(0).limit == 1);
  CHECK(store->claim(100).claims.size() == 1);
}

TEST_CASE_FIXTURE(ArraysFixture, "a queue tells what arrays are still to make in it") {
  submit(array(1, 2'500));
  CHECK(store->queue("default")->unmade == 1'500);
  CHECK(store->queues().at(0).unmade == 1'500);
  expand();
  CHECK(store->queue("default")->unmade == 0);
}

TEST_CASE_FIXTURE(ArraysFixture, "a huge array does not hold up a small one") {
  submit(array(1, 50'000));
  store->promote(clock.wall_now(), 10);
  store->promote(clock.wall_now(), 10);
  const TaskId small = submit(array(1, 1'500));
  for (int i = 0; i < 2; ++i) store->promote(clock.wall_now(), 10);  // a turn for each
  CHECK(number("SELECT count(*) FROM tasks WHERE array_id = " + std::to_string(small)) == 1'500);
  CHECK(number("SELECT count(*) FROM arrays_to_expand") == 1);
  const auto made = [&] { return number("SELECT count(*) FROM tasks WHERE array_id = 1"); };
  const auto before = made();
  for (int i = 0; i < 4; ++i) {
    submit(array(1, 5'000));  // nor do small ones that come again and again hold up the huge one
    store->promote(clock.wall_now(), 10);
  }
  CHECK(made() > before);
}

}  // namespace
}  // namespace taskd
