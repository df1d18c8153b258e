// Random histories with fixed seeds, checked against what must hold after any history.
#include <map>
#include <random>
#include <thread>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

class History : public Fixture {
 public:
  explicit History(unsigned seed) : random_(seed) {
    const QueuePatch queues[] = {{"a", 1000}, {"b", 1000}};
    store->configure_queues(queues);
  }

  void step() {
    clock.wall_ms += pick(2000);
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        submit_some();
        break;
      case 3:
      case 4:
        for (Claim& claim : store->claim(pick(4)).claims) running_.push_back(std::move(claim));
        break;
      case 5:
      case 6:
      case 7:
        finish_some();
        break;
      case 8:
      case 9:
        control_one();
        break;
      case 10:
        store->promote(clock.wall_now(), pick(20));
        if (pick(4) == 0) store->prune(clock.wall_now(), pick(20));
        break;
      default:
        if (pick(20) == 0) recover();
    }
  }

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  void submit_some() {
    std::vector<NewTask> tasks;
    for (int i = pick(3); i >= 0; --i) {
      NewTask task = Fixture::task(pick(3));
      task.spec.queue = pick(2) == 0 ? "a" : "b";
      task.spec.max_attempts = 1 + pick(3);
      task.spec.max_lost = 1 + pick(3);
      task.spec.keep_ms = pick(100'000);
      task.spec.backoff.initial_ms = pick(5000);
      task.spec.on_lost = pick(4) == 0 ? OnLost::fail : OnLost::rerun;
      task.hold = pick(5) == 0;
      if (pick(3) == 0) task.delay_ms = pick(5000);
      tasks.push_back(std::move(task));
    }
    try_submit(std::move(tasks));
  }

  void finish_some() {
    std::vector<Finish> finishes;
    while (!running_.empty() && finishes.size() < 3) {
      const auto i = static_cast<std::size_t>(pick(static_cast<int>(running_.size())));
      static constexpr OutcomeKind kKinds[] = {OutcomeKind::exited,    OutcomeKind::exited,
                                               OutcomeKind::exited,    OutcomeKind::signaled,
                                               OutcomeKind::lost,      OutcomeKind::timed_out,
                                               OutcomeKind::cancelled, OutcomeKind::not_started};
      finishes.push_back(end_of(running_[i], kKinds[pick(8)], pick(2)));
      if (pick(10) == 0) finishes.push_back(finishes.back());  // the second comes too late
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    for (FinishResult& result : store->finish(finishes, pick(3))) {
      for (Claim& claim : result.next.claims) running_.push_back(std::move(claim));
    }
  }

  void control_one() {
    const auto newest = store->last(kRoot);
    if (!newest) return;
    const auto verb = static_cast<Verb>(pick(5));
    if (pick(10) == 0) {
      ControlRequest request;
      request.actor = kRoot;
      request.verb = verb;
      request.filter = Filter{};
      request.filter->queue = pick(2) == 0 ? "a" : "b";
      store->control(request);
    } else {
      control(verb, std::vector<TaskId>{1 + pick(static_cast<int>(*newest)), *newest});
    }
  }

  void recover() {
    restart();
    const auto found = store->running_attempts();
    CHECK(found.size() == running_.size());
    for (const Claim& claim : found) store->record_adopted(claim.task, claim.attempt, claim.token);
  }

  std::mt19937 random_;
  std::vector<Claim> running_;
};

void check_counters(Fixture& fixture) {
  CHECK(fixture.number("SELECT count(*) FROM (SELECT queue, state, count FROM counters WHERE count"
                       " > 0 EXCEPT SELECT queue, state, count(*) FROM tasks GROUP BY 1, 2)") == 0);
  CHECK(fixture.number("SELECT sum(count) FROM counters") ==
        fixture.number("SELECT count(*) FROM tasks"));
}

// Each task's events follow the table of states without gaps, and end in what its row says.
void check_events(Fixture& fixture) {
  struct Folded {
    std::optional<State> state;
    int attempt = 0;
    bool open = false;  // an attempt is running
  };
  std::map<TaskId, Folded> tasks;
  SQLite::Database db = fixture.open_database();
  SQLite::Statement event(db,
                          "SELECT task_id, attempt, type, from_state, to_state FROM events WHERE"
                          " task_id IS NOT NULL AND type <> 'stale_rejected' ORDER BY seq");
  while (event.executeStep()) {
    Folded& task = tasks[event.getColumn(0).getInt64()];
    const int attempt = event.getColumn(1).getInt();
    const std::string type = event.getColumn(2).getString();
    const auto from = parse_state(event.getColumn(3).getString());
    const auto to = parse_state(event.getColumn(4).getString());
    CHECK(from == task.state);
    if (type == "claimed") {
      CHECK(attempt == task.attempt + 1);
      CHECK_FALSE(task.open);
    }
    if (task.open && to != State::running) CHECK(attempt == task.attempt);
    if (from && to && from != to) {
      bool allowed = false;
      for (const Event e : kAllEvents) allowed |= next_state(*from, e) == to;
      CHECK(allowed);
    }
    task.state = to;
    task.open = to == State::running;
    task.attempt = type == "not_started" ? attempt - 1 : std::max(attempt, task.attempt);
  }
  for (const auto& [id, folded] : tasks) {
    const std::optional<Task> row = fixture.store->get(kRoot, id);
    CHECK(row.has_value() == folded.state.has_value());
    if (!row) continue;
    CHECK(row->state == folded.state);
    CHECK(row->attempt == folded.attempt);
    CHECK(fixture.store->attempts(id).size() == static_cast<std::size_t>(row->attempt));
  }
}

void check_rows(Fixture& fixture) {
  CHECK(fixture.texts("PRAGMA integrity_check").at(0) == "ok");
  CHECK(fixture.number("SELECT count(*) FROM pragma_foreign_key_check") == 0);
  CHECK(fixture.number("SELECT count(*) FROM attempts WHERE ended_at_ms IS NULL") ==
        fixture.number("SELECT count(*) FROM tasks WHERE state = 'running'"));
  CHECK(fixture.number("SELECT count(*) FROM tasks t JOIN attempts a ON a.task_id = t.id AND"
                       " a.number = t.attempt WHERE t.token <> a.token") == 0);
  CHECK(fixture.number("SELECT count(*) FROM tasks WHERE id NOT IN (SELECT task_id FROM task_specs)"
                       " AND coalesce(array_id, 0) NOT IN (SELECT array_id FROM array_specs)") ==
        0);
}

TEST_CASE("counts, events and rows agree after any history") {
  for (const unsigned seed : {1u, 2u, 3u}) {
    CAPTURE(seed);
    History history(seed);
    for (int i = 0; i < 600; ++i) history.step();
    check_counters(history);
    check_events(history);
    check_rows(history);
  }
}

TEST_CASE("64 threads at once: every task runs once, and the counts agree") {
  Fixture fixture;
  constexpr int kThreads = 64;
  constexpr int kEach = 20;
  std::mutex mutex;
  std::map<TaskId, int> runs;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < kEach; ++k) {
        fixture.submit();
        for (const Claim& claim : fixture.store->claim(1).claims) {
          CHECK(fixture.finish(claim));
          const std::lock_guard lock(mutex);
          ++runs[claim.task];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(runs.size() == kThreads * kEach);
  for (const auto& [id, count] : runs) CHECK(count == 1);
  check_counters(fixture);
  check_events(fixture);
  check_rows(fixture);
}

}  // namespace
}  // namespace taskd
