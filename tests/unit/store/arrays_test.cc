// Arrays: tasks that differ in an index alone.
#include <future>
#include <numeric>
#include <thread>

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
  // The daemon dies after the first of the submit's commits.
  void crash_half_way(const NewTask& task, const std::string& key = "") {
    after_commit = [&, once = true]() mutable {
      if (!std::exchange(once, false)) return;
      open_database().exec("VACUUM INTO '" + (dir / "left.db") + "'");
    };
    try_submit({task}, kAlice, key);
    store.reset();
    after_commit = nullptr;
    for (const char* rest : {"-wal", "-shm"}) std::filesystem::remove((dir / "taskd.db") + rest);
    std::filesystem::rename(dir / "left.db", dir / "taskd.db");
    start();
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

TEST_CASE_FIXTURE(
    ArraysFixture,
    "an array is whole when its submit returns, made in short commits with one spec") {
  NewTask fat = array(1, 5'500);
  fat.spec.stdin_text = std::string(500'000, 'x');
  const TaskId first = submit(fat);
  CHECK(number("SELECT count(*) FROM tasks WHERE array_id = 1") == 5'500);
  CHECK(get(first + 5'499).array == ArrayPlace{1, 5'500});
  CHECK(get(first + 5'499).spec == fat.spec);
  CHECK(largest_commit <= 1'001);
  CHECK(number("SELECT count(*) FROM task_specs") == 0);
  CHECK(number("SELECT count(*) FROM array_specs WHERE task IS NULL") == 1);
  CHECK(number("SELECT sum(count) FROM counters") == 5'500);
  CHECK(submit() == 5'501);
}

TEST_CASE_FIXTURE(ArraysFixture, "a commit holds less of an array whose tasks write more") {
  NewTask labelled = array(1, 2'000);
  for (int i = 0; i < 9; ++i) labelled.spec.labels["k" + std::to_string(i)] = "v";
  submit(labelled);
  CHECK(largest_commit == 101);  // with the word to the timer thread
}

TEST_CASE_FIXTURE(ArraysFixture,
                  "an edited index has a spec of its own, and the others keep theirs") {
  submit(array(1, 3));
  EditRequest edit;
  edit.actor = kAlice;
  edit.task = 2;
  edit.was = get(2).spec;
  edit.to.spec = edit.was;
  edit.to.spec.argv = {"/bin/false"};
  CHECK(std::holds_alternative<Edited>(store->edit(edit)));
  CHECK(get(2).spec.argv.at(0) == "/bin/false");
  CHECK(get(1).spec.argv.at(0) == "/bin/true");
  CHECK(get(3).spec.argv.at(0) == "/bin/true");
  // The shared one is there for the last as well, when the first is gone.
  control(Verb::cancel, {1, 2});
  control(Verb::remove, {1, 2});
  CHECK(get(3).spec.argv.at(0) == "/bin/true");
  control(Verb::cancel, 3);
  control(Verb::remove, 3);
  CHECK(number("SELECT count(*) FROM arrays") == 0);
  CHECK(number("SELECT count(*) FROM array_specs") == 0);
}

TEST_CASE_FIXTURE(ArraysFixture, "the submits of others go on while a large array is made") {
  std::promise<void> begun;
  after_commit = [&, once = true]() mutable {
    if (std::exchange(once, false)) begun.set_value();
  };
  std::thread large([&] { submit(array(1, 50'000)); });
  begun.get_future().wait();
  CHECK(submit(task(), kBob) == 50'001);
  const auto made = number("SELECT made FROM arrays");
  const TaskId small = submit(array(1, 3'000), kBob);  // nor does it wait for the large one's end
  CHECK(number("SELECT count(*) FROM tasks WHERE array_id = " + std::to_string(small)) == 3'000);
  CHECK(made < 50'000);
  CHECK(number("SELECT made FROM arrays") < 50'000);
  large.join();
  CHECK(number("SELECT made FROM arrays") == 50'000);
}

TEST_CASE_FIXTURE(ArraysFixture, "what a crash left of an array comes to be whole") {
  crash_half_way(array(1, 2'500));
  CHECK(number("SELECT count(*) FROM tasks") == 1'000);
  CHECK_FALSE(store->array(kAlice, 1)->is_whole());
  CHECK(submit() == 2'501);  // its ids are set aside
  expand();
  CHECK(store->array(kAlice, 1)->is_whole());
  CHECK(number("SELECT count(*) FROM tasks") == 2'501);
  CHECK(get(2'500).array == ArrayPlace{1, 2'500});
  CHECK(number("SELECT count(*) FROM array_specs WHERE task IS NOT NULL") == 0);
  CHECK(number("SELECT sum(count) FROM counters") == 2'501);
}

TEST_CASE_FIXTURE(ArraysFixture, "after a crash the same key gives the same array, whole") {
  crash_half_way(array(1, 2'500), "key");
  const auto repeated = std::get<Submitted>(try_submit({array(1, 2'500)}, kAlice, "key"));
  CHECK(repeated.repeated);
  CHECK(repeated.ids == std::vector<TaskId>{1});
  CHECK(number("SELECT count(*) FROM tasks") == 2'500);
}

TEST_CASE_FIXTURE(ArraysFixture, "what an array depends on stays until it is whole") {
  submit();
  NewTask after = array(1, 1'100);
  after.spec.constraints.depends_on = {{1, DependencyOn::ok}};
  crash_half_way(after);
  finish(claim());
  CHECK(std::get<NeededByArray>(control(Verb::remove, std::vector<TaskId>{1})).array == 2);
  ControlRequest all;
  all.actor = kAlice;
  all.verb = Verb::remove;
  all.filter.emplace();
  CHECK(std::get<std::vector<ControlChange>>(store->control(all)).empty());
  all.dry_run = true;
  CHECK(std::get<Preview>(store->control(all)).count == 0);
  clock.wall_ms += 40 * 24 * 3600 * 1000LL;
  CHECK(store->prune(clock.wall_now(), 100).tasks.empty());
  expand();
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 1'100);
  CHECK(store->prune(clock.wall_now(), 100).tasks.size() == 1);
}

TEST_CASE_FIXTURE(ArraysFixture, "what failed before an array is whole fails all of it") {
  submit();
  NewTask after = array(1, 1'100);
  after.spec.constraints.depends_on = {{1, DependencyOn::ok}};
  crash_half_way(after);
  finish(claim(), OutcomeKind::exited, 1);
  expand();
  CHECK(number("SELECT count(*) FROM tasks WHERE reason = 'dependency'") == 1'100);
}

TEST_CASE_FIXTURE(ArraysFixture, "an array is there for its owner as long as any of it is") {
  submit(array(1, 3));
  const auto seen = [&] {
    return std::vector<bool>{store->array(kAlice, 1).has_value(),
                             store->array(kRoot, 1).has_value(), store->array(kBob, 1).has_value(),
                             store->array(kAlice, 2).has_value()};
  };
  CHECK(seen() == std::vector<bool>{true, true, false, false});
  control(Verb::cancel, {1, 2, 3});
  control(Verb::remove, {1, 2});
  CHECK(seen() == std::vector<bool>{true, true, false, false});
  control(Verb::remove, 3);
  CHECK(seen() == std::vector<bool>{false, false, false, false});
}

TEST_CASE_FIXTURE(ArraysFixture, "a queue in which an array is being made is in use") {
  store->set_queue(kRoot, {.name = "q"}, true);
  NewTask one = array(1, 1'100);
  one.spec.queue = "q";
  crash_half_way(one);
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
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'scheduled'") == 1'100);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'held'") == 1'100);
}

TEST_CASE_FIXTURE(ArraysFixture, "an array counts its tasks that ended, also those that are gone") {
  submit(array(1, 4));
  finish(claim());
  finish(claim(), OutcomeKind::exited, 1);
  control(Verb::cancel, 3);
  const auto counts = [&] {
    const ArrayInfo info = store->array(kAlice, 1).value();
    return std::vector<std::int64_t>{info.count, info.ended, info.succeeded};
  };
  CHECK(counts() == std::vector<std::int64_t>{4, 3, 1});
  control(Verb::remove, 1);
  CHECK(counts() == std::vector<std::int64_t>{4, 3, 1});
  control(Verb::retry, 2);
  CHECK(counts() == std::vector<std::int64_t>{4, 2, 1});
}

TEST_CASE_FIXTURE(ArraysFixture, "an array must fit into its queue as a whole") {
  store->set_queue(kRoot, {.name = "default", .capacity = 10}, false);
  CHECK(std::holds_alternative<QueueFull>(try_submit({array(1, 11)})));
  CHECK(number("SELECT count(*) FROM tasks") == 0);
  submit(array(1, 10));
}

TEST_CASE_FIXTURE(ArraysFixture, "an array that is being made takes its room in the queue") {
  crash_half_way(array(1, 1'100));
  store->set_queue(kRoot, {.name = "default", .capacity = 1'200}, false);
  CHECK(std::holds_alternative<QueueFull>(try_submit({array(1, 101)})));
  submit(array(1, 100));
  CHECK(std::holds_alternative<QueueFull>(try_submit({task()})));
  expand();
  CHECK(number("SELECT count(*) FROM tasks") == 1'200);
  CHECK(std::holds_alternative<QueueFull>(try_submit({task()})));
}

TEST_CASE_FIXTURE(ArraysFixture, "many arrays of one submit share a commit and are all whole") {
  std::vector<NewTask> many(100, array(1, 50));
  try_submit(many);
  CHECK(largest_commit <= 1'100);  // with a word to the timer thread for each
  CHECK(number("SELECT count(*) FROM tasks") == 5'000);
  CHECK(number("SELECT max(id) FROM tasks WHERE array_id = 4951") == 5'000);
  CHECK(submit() == 5'001);
}

TEST_CASE_FIXTURE(ArraysFixture, "a repeated key gives the array's first task") {
  const auto give = [&] { return std::get<Submitted>(try_submit({array(1, 5)}, kAlice, "key")); };
  CHECK(give().ids == std::vector<TaskId>{1});
  CHECK(give().ids == std::vector<TaskId>{1});
  CHECK(number("SELECT count(*) FROM tasks") == 5);
}

TEST_CASE_FIXTURE(ArraysFixture, "another limit holds for what is not made yet, too") {
  crash_half_way(array(1, 2'500, 3));
  const KeyPatch patch{.name = "#array-1", .limit = 5};
  CHECK(std::get<KeyInfo>(store->set_key(kAlice, patch)).blocked == 995);
  expand();
  CHECK(store->keys({.actor = kAlice}).keys.at(0).limit == 5);
  CHECK(store->claim(100).claims.size() == 5);
}

// Depends on an array and on its first task, which has the array's id.
NewTask after_both(std::int64_t count) {
  NewTask one = ArraysFixture::array(1, count);
  one.spec.constraints.depends_on = {{1, DependencyOn::any, true}, {1, DependencyOn::ok}};
  return one;
}

TEST_CASE_FIXTURE(ArraysFixture, "an array may come after an array and after one of its tasks") {
  submit(array(1, 2));
  const TaskId id = submit(after_both(1'000));
  CHECK(store->array(kAlice, id)->is_whole());
  CHECK(number("SELECT count(*) FROM dependencies WHERE task_id = 1002") == 2);
  finish(claim());
  finish(claim());
  expand();
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 1'000);
}

TEST_CASE_FIXTURE(ArraysFixture, "a crash in the middle of such an array is mended too") {
  submit(array(1, 2));
  crash_half_way(after_both(1'000));
  CHECK_FALSE(store->array(kAlice, 3)->is_whole());
  expand();
  CHECK(store->array(kAlice, 3)->is_whole());
  CHECK(number("SELECT count(*) FROM dependencies WHERE task_id = 1002") == 2);
  CHECK(number("SELECT count(*) FROM array_dependencies") == 0);
}

TEST_CASE_FIXTURE(ArraysFixture, "an array is made whole under whatever limits it was taken") {
  crash_half_way(array(1, 1'100));
  open_database().exec(
      "UPDATE arrays SET count = 5000001;"
      "UPDATE array_specs SET task = '{\"version\":1,\"argv\":[\"true\"],\"user\":\"nobody\",\"priority\":7,"
      "\"array\":{\"first\":1,\"last\":5000001,\"step\":1}}'");
  CHECK(store->promote(clock.wall_now(), 10) == clock.wall_now());
  CHECK(number("SELECT made FROM arrays") == 2'000);
  CHECK(number("SELECT priority FROM tasks WHERE id = 2000") == 7);
}

TEST_CASE_FIXTURE(ArraysFixture,
                  "an array whose rest cannot be read is given up, and holds up nothing else") {
  for (const char* rest :
       {"NULL", "'{\"torn'", "'[]'",
        "'{\"version\":2,\"argv\":[\"true\"],\"array\":{\"first\":1,\"last\":1100,\"step\":1}}'",
        "'{\"version\":1,\"argv\":[\"true\"]}'",
        "'{\"version\":1,\"argv\":[\"true\"],\"array\":{\"first\":1,\"last\":7,\"step\":1}}'",
        "'{\"version\":1,\"argv\":[\"true\"],\"array\":{\"first\":1,\"last\":1100,\"step\":0}}'",
        "'{\"version\":1,\"argv\":[\"true\"],\"from_the_future\":1,\"array\":{\"first\":1,\"last\":"
        "1100,\"step\":1}}'",
        "'{\"version\":1,\"argv\":[\"true\"],\"array\":{\"first\":1,\"last\":1100,\"step\":1},"
        "\"key\":{\"name\":\"k\",\"rate\":5}}'"}) {
    CAPTURE(rest);
    ArraysFixture f;
    f.submit();
    NewTask needing = array(1, 1'100);
    needing.spec.constraints.depends_on = {{1, DependencyOn::any}};
    f.crash_half_way(needing);
    NewTask then = task();
    then.spec.constraints.depends_on = {{2, DependencyOn::ok, true}};
    const TaskId next = f.submit(then, kAlice);
    f.open_database().exec(std::string("UPDATE array_specs SET task = ") + rest);
    CHECK_NOTHROW(f.expand());
    CHECK(f.texts("SELECT detail FROM events WHERE type = 'array_given_up'").size() == 1);
    CHECK(f.fatal.empty());
    const ArrayInfo info = f.store->array(kAlice, 2).value();
    CHECK(info.count == 1'100);
    CHECK(info.is_whole());
    CHECK(info.ended == 600);
    CHECK(info.succeeded == 0);
    // What was made goes on, and what was not has failed for those who depend on it.
    f.finish(f.claim());
    f.expand();
    while (true) {
      const auto claims = f.store->claim(500).claims;
      for (const Claim& one : claims) f.finish(one);
      if (claims.empty()) break;
    }
    f.expand();
    CHECK(f.store->array(kAlice, 2)->ended == 1'100);
    CHECK(f.store->array(kAlice, 2)->succeeded == 500);
    CHECK(f.get(next).reason == Reason::dependency);
    f.clock.wall_ms += 40 * 24 * 3600 * 1000LL;
    while (!f.store->prune(f.clock.wall_now(), 500).tasks.empty()) {
    }
    CHECK(f.number("SELECT count(*) FROM arrays") == 0);
    CHECK(f.number("SELECT count(*) FROM tasks") == 0);
  }
}

TEST_CASE_FIXTURE(ArraysFixture, "an array is given up also when all of its tasks have ended") {
  crash_half_way(array(1, 1'100));
  NewTask then = task();
  then.spec.constraints.depends_on = {{1, DependencyOn::ok, true}};
  const TaskId next = submit(then);
  std::vector<TaskId> made(1'000);
  std::iota(made.begin(), made.end(), 1);
  control(Verb::cancel, made);
  CHECK(state(next) == State::blocked);
  open_database().exec("UPDATE array_specs SET task = 'torn'");
  expand();
  CHECK(get(next).reason == Reason::dependency);
  control(Verb::remove, made);
  CHECK(number("SELECT count(*) FROM arrays") == 0);
}

TEST_CASE_FIXTURE(ArraysFixture, "behind an array that is given up the next one is made") {
  crash_half_way(array(1, 1'100));
  crash_half_way(array(1, 1'200));
  open_database().exec("UPDATE array_specs SET task = 'torn' WHERE array_id = 1");
  expand();
  CHECK(number("SELECT count(*) FROM tasks WHERE array_id = 1101") == 1'200);
  CHECK(number("SELECT count(*) FROM arrays WHERE made < count") == 0);
}

}  // namespace
}  // namespace taskd
