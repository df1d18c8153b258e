// What the writer does inside a transaction: it reads no spec, the users take turns, and a
// transaction gives way once it has spent its budget.
#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

#include "daemon/store/db/commit_times.h"
#include "daemon/store/limits/queue_table.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

constexpr char kTorn[] = "UPDATE task_specs SET spec = '{\"torn'";

// Nothing of a spec can be read, so whoever looks into one fails.
struct TornFixture : Fixture {
  TornFixture() : Fixture({{"mail", kTheEnds}}) {}
  void tear() { open_database().exec(kTorn); }
};

NewTask with_everything() {
  NewTask task = Fixture::task();
  task.spec.name = "all";
  task.spec.labels = {{"team", "a"}};
  task.spec.max_attempts = 2;
  task.spec.backoff = {BackoffKind::constant, 1000, 1000, 0};
  task.spec.keep_ms = 60'000;
  task.spec.notify = {{"mail", {}}};
  task.spec.constraints.key = {"k", 2, std::nullopt};
  task.spec.constraints.slots = 2;
  task.spec.constraints.unique.key = "u";
  return task;
}

TEST_CASE_FIXTURE(TornFixture, "no verb reads a spec") {
  const TaskId first = submit(with_everything());
  NewTask after = task();
  after.spec.constraints.depends_on = {{first}};
  after.spec.constraints.on_dependency_failed = OnDependencyFailed::run;
  const TaskId second = submit(after);
  tear();
  ControlRequest request;
  request.actor = kAlice;
  request.filter = Filter{};
  request.filter->labels = {{"team", "a"}};
  request.filter->key = "k";
  for (const Verb verb : {Verb::hold, Verb::release, Verb::cancel, Verb::retry}) {
    CAPTURE(to_string(verb));
    request.verb = verb;
    request.dry_run = true;
    CHECK(std::get<Preview>(store->control(request)).count == 1);
    request.dry_run = false;
    CHECK(std::get<std::vector<ControlChange>>(store->control(request)).size() == 1);
  }
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued' AND id = " +
               std::to_string(second)) == 1);
  control(Verb::cancel, first);
  control(Verb::remove, first);
  CHECK(control(Verb::cancel, second).state == State::cancelled);
}

TEST_CASE_FIXTURE(TornFixture, "an attempt runs, fails, is tried again and ends without its spec") {
  const TaskId id = submit(with_everything());
  tear();
  Claim first = claim();
  CHECK(first.task == id);
  CHECK(first.uid == kAlice.uid);
  CHECK_FALSE(first.unreadable.empty());  // for the worker to say
  CHECK(finish(first, OutcomeKind::exited, 1));
  CHECK(number("SELECT due_at_ms FROM tasks") == clock.wall_ms + 1000);
  clock.wall_ms += 1000;
  store->promote(clock.wall_now(), 10);
  CHECK(finish(claim(), OutcomeKind::exited, 1));
  CHECK(number("SELECT tries FROM tasks WHERE state = 'failed'") == 2);
  CHECK(number("SELECT prune_at_ms FROM tasks") == clock.wall_ms + 60'000);
  clock.wall_ms += 60'000;
  CHECK(store->prune(clock.wall_now(), 10).tasks.size() == 1);
}

TEST_CASE_FIXTURE(TornFixture, "a task whose policy cannot be read is not run, and stops nobody") {
  const TaskId torn = submit(with_everything());
  const TaskId other = submit();
  open_database().exec("UPDATE tasks SET policy = '{\"torn' WHERE id = " + std::to_string(torn));
  const Claim first = claim();
  CHECK(first.task == torn);
  CHECK_FALSE(first.unreadable.empty());
  CHECK(claim().task == other);
  CHECK(finish(first, OutcomeKind::spawn_failed));
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'failed' AND id = " +
               std::to_string(torn)) == 1);
  control(Verb::remove, torn);
}

TEST_CASE_FIXTURE(Fixture,
                  "a schedule whose task cannot be read is hidden from others, and removed") {
  ScheduleSettings settings;
  settings.name = "nightly";
  settings.every_ms = 60'000;
  settings.task = task().spec;
  const ScheduleId id{kAlice.uid, "nightly"};
  store->put_schedule(kAlice, kAlice.uid, settings);
  open_database().exec("UPDATE schedules SET spec = '{\"torn'");
  CHECK(std::holds_alternative<UnknownSchedule>(store->pause_schedule(kBob, id, "")));
  CHECK_FALSE(store->schedule(kBob, id).has_value());
  CHECK(store->schedules(kBob).empty());
  CHECK(std::holds_alternative<Schedule>(store->remove_schedule(kAlice, id)));
  CHECK(store->due_schedules(clock.wall_now(), 10).empty());
}

// Holds the writer until let_go(), as a commit does that takes long.
class BusyWriter {
 public:
  explicit BusyWriter(Fixture& fixture) : fixture_(fixture) {
    fixture.on_writer = [this] {
      if (held_.exchange(true)) return;
      entered_.set_value();
      go_.get_future().wait();
    };
    thread_ = std::thread([this] { fixture_.submit(); });
    entered_.get_future().wait();
  }
  ~BusyWriter() {
    thread_.join();
    fixture_.on_writer = nullptr;
  }
  void let_go() { go_.set_value(); }

 private:
  Fixture& fixture_;
  std::atomic<bool> held_ = false;
  std::promise<void> entered_;
  std::promise<void> go_;
  std::thread thread_;
};

TEST_CASE_FIXTURE(Fixture, "a user's command does not wait for all that another has asked for") {
  commit_budget_us = 0;  // a commit each, so that the ids tell the order
  restart();
  std::vector<std::thread> threads;
  std::vector<TaskId> alices(20);
  TaskId bobs = 0;
  {
    BusyWriter busy(*this);
    for (TaskId& id : alices) threads.emplace_back([&] { id = submit(task(), kAlice); });
    while (store->commit_times().waiting < 20) std::this_thread::yield();
    threads.emplace_back([&] { bobs = submit(task(), kBob); });
    while (store->commit_times().waiting < 21) std::this_thread::yield();
    busy.let_go();
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(std::count_if(alices.begin(), alices.end(), [&](TaskId id) { return id < bobs; }) <= 1);
  CHECK(largest_commit <= 2);  // a submit and its claim
}

TEST_CASE_FIXTURE(Fixture, "users do not wait for all that the daemon itself has to do") {
  NewTask later = task();
  later.delay_ms = 1000;
  for (int i = 0; i < 20; ++i) submit(later);
  commit_budget_us = 0;
  restart();
  clock.wall_ms += 1000;
  std::vector<std::thread> threads;
  {
    BusyWriter busy(*this);
    for (int i = 0; i < 20; ++i) {
      threads.emplace_back([&] { store->promote(clock.wall_now(), 1); });
    }
    while (store->commit_times().waiting < 20) std::this_thread::yield();
    for (const Actor& user : {kAlice, kBob}) {
      threads.emplace_back([&, user] { submit(later, user); });
    }
    while (store->commit_times().waiting < 22) std::this_thread::yield();
    busy.let_go();
    for (std::thread& thread : threads) thread.join();
  }
  // One of the daemon's, one of a user, in turns.
  CHECK(number("SELECT count(*) FROM events WHERE type = 'due'") == 20);
  CHECK(number("SELECT count(*) FROM events WHERE type = 'due'"
               " AND seq < (SELECT max(seq) FROM events WHERE type = 'submitted')") <= 3);
}

TEST_CASE_FIXTURE(Fixture,
                  "a filter's verb is worked off in many commits once the budget is spent") {
  for (int i = 0; i < 50; ++i) submit();
  commit_budget_us = 0;
  restart();
  largest_commit = 0;
  ControlRequest request;
  request.actor = kAlice;
  request.verb = Verb::cancel;
  request.filter = Filter{};
  std::size_t told = 0;
  request.on_commit = [&](std::span<const ControlChange> some) { told += some.size(); };
  CHECK(std::get<std::vector<ControlChange>>(store->control(request)).size() == 50);
  CHECK(told == 50);
  CHECK(largest_commit == 1);
}

TEST_CASE_FIXTURE(Fixture, "what is due, what is pruned and what is claimed gives way as well") {
  NewTask later = task();
  later.delay_ms = 1000;
  later.spec.keep_ms = 0;
  for (int i = 0; i < 5; ++i) submit(later);
  commit_budget_us = 0;
  restart();
  clock.wall_ms += 1000;
  int commits = 0;
  while (store->promote(clock.wall_now(), 100) == clock.wall_now()) ++commits;
  CHECK(commits >= 5);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 5);
  const Claims some = store->claim(5);
  CHECK(some.claims.size() == 1);
  CHECK(some.more);
  control(Verb::cancel, {2, 3, 4, 5});
  clock.wall_ms += 100'000;
  CHECK(store->prune(clock.wall_now(), 100).tasks.size() == 1);
  CHECK(store->prune(clock.wall_now(), 100).next == clock.wall_now());
}

TEST_CASE_FIXTURE(Fixture,
                  "more than a thousand ids are checked together and done in many commits") {
  std::vector<NewTask> tasks(1500, task());
  const auto ids = std::get<Submitted>(try_submit(tasks)).ids;
  control(Verb::cancel, ids[700]);
  control(Verb::remove, ids[700]);
  CHECK(std::holds_alternative<NotFound>(control(Verb::cancel, ids)));
  CHECK(state(ids[0]) == State::queued);
  std::vector<TaskId> there = ids;
  there.erase(there.begin() + 700);
  largest_commit = 0;
  CHECK(std::get<std::vector<ControlChange>>(control(Verb::cancel, there)).size() == 1499);
  CHECK(largest_commit <= 500);
  for (const TaskId id : {there.front(), there.back()}) CHECK(state(id) == State::cancelled);
}

// Tasks that have ended, each of which depended on a thousand.
struct ManyLinks : Fixture {
  ManyLinks() {
    const auto upstream = std::get<Submitted>(try_submit(std::vector<NewTask>(1000, task()))).ids;
    NewTask after = task();
    for (const TaskId id : upstream) after.spec.constraints.depends_on.push_back({id});
    ids = std::get<Submitted>(try_submit(std::vector<NewTask>(12, after))).ids;
    control(Verb::cancel, ids);
  }
  // In how many commits they are removed, each of how many at most.
  std::pair<int, std::size_t> remove(ControlRequest request) {
    request.actor = kAlice;
    request.verb = Verb::remove;
    std::pair<int, std::size_t> commits;
    request.on_commit = [&](std::span<const ControlChange> some) {
      ++commits.first;
      commits.second = std::max(commits.second, some.size());
    };
    CHECK(std::get<std::vector<ControlChange>>(store->control(request)).size() == 12);
    CHECK(number("SELECT count(*) FROM dependencies") == 0);
    return commits;
  }
  std::vector<TaskId> ids;
};

TEST_CASE_FIXTURE(ManyLinks,
                  "tasks with many dependencies are removed few at a time: by their ids") {
  ControlRequest request;
  request.ids = ids;
  const auto [commits, most] = remove(request);
  CHECK(commits >= 3);
  CHECK(most <= 5);
}

TEST_CASE_FIXTURE(ManyLinks,
                  "tasks with many dependencies are removed few at a time: by a filter") {
  ControlRequest request;
  request.filter = Filter{};
  request.filter->states = {State::cancelled};
  const auto [commits, most] = remove(request);
  CHECK(commits >= 3);
  CHECK(most <= 5);
}

TEST_CASE_FIXTURE(ManyLinks,
                  "tasks with many dependencies are all looked at before one is removed") {
  const TaskId queued = submit();
  ids.push_back(queued);
  CHECK(std::holds_alternative<WrongState>(control(Verb::remove, ids)));
  CHECK(number("SELECT count(*) FROM dependencies") == 12'000);
}

TEST_CASE_FIXTURE(Fixture, "a slot that replaces very many tasks cancels them in many commits") {
  ScheduleSettings settings;
  settings.name = "often";
  settings.every_ms = 60'000;
  settings.overlap = Overlap::replace;
  settings.task = task().spec;
  const ScheduleId id{kAlice.uid, "often"};
  const auto put = [&](const char* unique) {
    settings.task.constraints.unique = {unique, *unique == 0 ? 0 : 3'600'000, std::nullopt};
    return std::get<Schedule>(store->put_schedule(kAlice, kAlice.uid, settings));
  };
  const auto trigger = [&] {
    return std::get<Triggered>(store->trigger_schedule(kAlice, id)).task;
  };
  put("");
  const Claim running = [&] {
    trigger();
    return claim();
  }();
  for (int i = 0; i < 20; ++i) trigger();
  // One that the next has the unique key of; it is replaced like the others, which are younger.
  put("u");
  const TaskId unique = trigger();
  put("");
  for (int i = 0; i < 20; ++i) trigger();
  Schedule schedule = put("u");
  SUBCASE("whatever their number") {
    commit_budget_us = 0;
    restart();
  }
  SUBCASE("whatever they take") {}
  largest_commit = 0;
  schedule = store->schedule(kAlice, id).value();
  clock.wall_ms += 60'010;
  const WallTime slot = schedule.done_until + 60'000;
  const Firing firing{schedule.id, schedule.done_until, {slot}, slot, slot + 60'000};
  const std::vector<Slot> slots = store->fire(firing);
  REQUIRE(slots.size() == 1);
  CHECK(slots[0].result == SlotResult::fired);
  CHECK(state(unique) == State::cancelled);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'cancelled'") == 41);
  CHECK(get(running.task).cancel_requested_at.has_value());
  CHECK(state(slots[0].task.value()) == State::blocked);  // until that has ended
  if (commit_budget_us == 0) CHECK(largest_commit <= 3);
  CHECK(store->fire(firing).empty());
}

TEST_CASE_FIXTURE(Fixture, "slots that are made up for fire in as many commits as it takes") {
  ScheduleSettings settings;
  settings.name = "often";
  settings.every_ms = 60'000;
  settings.task = task().spec;
  settings.overlap = Overlap::queue;
  const Schedule schedule = std::get<Schedule>(store->put_schedule(kAlice, kAlice.uid, settings));
  commit_budget_us = 0;
  restart();
  largest_commit = 0;
  Firing firing{schedule.id, schedule.done_until, {}, {}, clock.wall_now() + 600'000};
  for (int i = 1; i <= 5; ++i) firing.slots.push_back(schedule.done_until + i * 60'000);
  firing.done_until = firing.slots.back();
  CHECK(store->fire(firing).size() == 5);
  CHECK(largest_commit == 1);
  CHECK(store->schedule(kAlice, {kAlice.uid, "often"})->done_until == firing.done_until);
  CHECK(store->schedule(kAlice, {kAlice.uid, "often"})->next_at == firing.next_at);
  CHECK(store->fire(firing).empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a change of a million tasks is counted, and its first ten thousand named") {
  std::vector<NewTask> tasks(6000, task());
  try_submit(tasks);
  try_submit(tasks);
  ControlRequest request;
  request.actor = kAlice;
  request.verb = Verb::hold;
  request.filter = Filter{};
  std::size_t told = 0;
  request.on_commit = [&](std::span<const ControlChange> some) { told += some.size(); };
  CHECK(std::get<std::vector<ControlChange>>(store->control(request)).size() == kMaxPreviewed);
  CHECK(told == 12'000);
}

TEST_CASE_FIXTURE(Fixture,
                  "an edit loses against one that came between, whatever the spec's text is") {
  NewTask sent = task();
  sent.hold = true;
  sent.spec.env = {{"A", "1"}};
  const TaskId id = submit(sent);
  const Task read = get(id);
  // As another version might have written the same spec.
  open_database().exec("UPDATE task_specs SET spec = json_insert(spec, '$.env.B', '2')");
  EditRequest edit;
  edit.actor = kAlice;
  edit.task = id;
  edit.was = read.spec;
  edit.to.spec = read.spec;
  edit.to.spec.priority = 5;
  CHECK(std::holds_alternative<EditedMeanwhile>(store->edit(edit)));
  edit.was = get(id).spec;
  edit.to.spec = edit.was;
  edit.to.spec.priority = 5;
  CHECK(std::holds_alternative<Edited>(store->edit(edit)));
  CHECK(get(id).spec.env.at("B") == "2");
}

TEST_CASE("of the times of commits a percentile is at most an eighth too high") {
  CommitTimes times;
  CHECK(times.summary().count == 0);
  CHECK(times.summary().p999 == 0);
  for (int us = 1; us <= 10'000; ++us) times.add(us);
  times.add(5'000'000);
  const CommitTimesUs found = times.summary();
  CHECK(found.count == 10'001);
  CHECK(found.max == 5'000'000);
  const std::pair<std::int64_t, std::int64_t> percentiles[] = {
      {found.p50, 5000}, {found.p99, 9900}, {found.p999, 9990}};
  for (const auto& [value, exact] : percentiles) {
    CHECK(value >= exact);
    CHECK(value <= exact + exact / 8 + 1);
  }
}

TEST_CASE_FIXTURE(Fixture, "turns of a command that is undone were never taken") {
  for (const char* queue : {"a", "b"}) {
    QueuePatch patch;
    patch.name = queue;
    store->set_queue(kRoot, patch, true);
    NewTask one = task();
    one.spec.queue = queue;
    submit(one);
  }
  store.reset();
  Connection db = Connection::open_writer(dir / "taskd.db");
  QueueTable queues;
  queues.load(db);
  const auto order = [&] {
    std::string names;
    for (const std::string* name : queues.turns(clock.wall_now()).queues) names += *name;
    return names;
  };
  const auto take = [&](const char* queue, int times) {
    for (int i = 0; i < times; ++i) queues.take_turn(queue, clock.wall_now());
  };
  queues.begin_transaction();
  queues.begin_command();
  take("a", 3);
  REQUIRE(order() == "ba");
  queues.begin_command();
  take("a", 9);
  queues.set_reservation(QueueTable::Reservation{"a", 1});
  queues.undo();
  CHECK(order() == "ba");
  CHECK_FALSE(queues.reservation());
  // And of a transaction that is rolled back as a whole.
  queues.begin_transaction();
  queues.begin_command();
  take("a", 5);
  queues.begin_command();
  take("b", 9);
  queues.undo_transaction(db);
  CHECK(order() == "ba");
}

}  // namespace
}  // namespace taskd
