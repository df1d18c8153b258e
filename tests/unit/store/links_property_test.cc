// Random histories in which dependants lag behind: some hundred are looked at with each commit, and
// meanwhile tasks end, are tried again, cancelled, removed and pruned, and daemons come and go.
// Once all is quiet, the rules of limits/dependency_rules.h say of every link and task what is there already.
#include <rapidcheck.h>

#include <map>

#include "daemon/limits/dependency_rules.h"
#include "tests/support/memory_folder.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

int number_from(int least, int end) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(least, end));
}
template <typename T>
T any_of(const std::vector<T>& all) {
  return all.at(static_cast<std::size_t>(number_from(0, static_cast<int>(all.size()))));
}
template <typename... T>
void log(const T&... parts) {
  RC_LOG() << '\n';
  (RC_LOG() << ... << parts);
}

class LaggingHistory : public Fixture {
 public:
  LaggingHistory()
      : Fixture({{.name = "mail", .on = kTheEnds}}, memory_folder()),
        largest_family_(number_from(0, 8) == 0 ? 1100 : 8) {}

  void step() {
    switch (number_from(0, 13)) {
      case 0:
      case 1:
        return submit_family();
      case 2:
        return submit_join();
      case 3:
      case 4:
      case 5:
        return end_some();
      case 6:
      case 7:
        return control_some();
      case 8:
        return control_all();
      case 9:
        clock.wall_ms += 10'000;
        log("prune");
        store->prune(clock.wall_now(), 20);
        return;
      case 10:
        log("restart");
        return restart();
      default:
        log("promote");
        store->promote(clock.wall_now(), 10);
    }
  }

  void come_to_rest() {
    largest_commit = 0;
    int commits = 0;
    while (store->promote(clock.wall_now(), 10) == clock.wall_now()) RC_ASSERT(++commits < 1000);
    RC_ASSERT(largest_commit <= 520U);
    RC_ASSERT(number("SELECT count(*) FROM links_to_update") == 0);
  }

  void check_links() {
    SQLite::Database db = open_database();
    std::map<TaskId, bool> broken;
    SQLite::Statement broken_row(
        db, "SELECT DISTINCT task_id FROM dependencies WHERE state IN ('failed', 'skipped')");
    while (broken_row.executeStep()) broken[broken_row.getColumn(0).getInt64()] = true;
    struct Row {
      Standing standing;
      OnDependencyFailed policy;
      Links links = {};
    };
    std::map<TaskId, State> states;
    std::map<TaskId, Row> tasks;
    SQLite::Statement task(db,
                           "SELECT id, state, coalesce(blocked_on, '') = 'dependencies',"
                           " coalesce(on_dependency_failed, 'fail') FROM tasks");
    while (task.executeStep()) {
      const TaskId id = task.getColumn(0).getInt64();
      states[id] = parse_state(task.getColumn(1).getString()).value();
      tasks[id] = {standing_of(states[id], task.getColumn(2).getInt() != 0, broken[id]),
                   parse_on_dependency_failed(task.getColumn(3).getString()).value()};
    }
    const std::map<std::string, LinkState> words = {{"pending", LinkState::pending},
                                                    {"met", LinkState::met},
                                                    {"failed", LinkState::failed},
                                                    {"skipped", LinkState::skipped}};
    SQLite::Statement link(db, "SELECT task_id, on_task, on_end, state FROM dependencies");
    while (link.executeStep()) {
      Row& row = tasks.at(link.getColumn(0).getInt64());
      const TaskId on = link.getColumn(1).getInt64();
      const LinkState state = words.at(link.getColumn(3).getString());
      row.links.add(state);
      // One that concerns nobody is judged when its upstream ends.
      if (row.standing == Standing::free && state == LinkState::pending) continue;
      const auto found = states.find(on);
      const auto upstream = found == states.end() ? std::nullopt : std::optional(found->second);
      RC_ASSERT(judge(state, upstream_of(upstream, broken[on]),
                      parse_dependency_on(link.getColumn(2).getString()).value(), row.policy,
                      row.standing) == state);
    }
    for (const auto& [id, row] : tasks) {
      RC_ASSERT(decide(row.standing, row.links, row.policy) == Verdict::stay);
    }
  }

  // A task ends as often as it comes back, and once more if it has ended; each end is told once.
  void check_ends() {
    RC_ASSERT(texts(R"(WITH moves AS (
                   SELECT task_id, at_ms,
                          to_state IN ('succeeded', 'failed', 'cancelled')
                          - (from_state IN ('succeeded', 'failed', 'cancelled')) AS ends
                   FROM events WHERE from_state <> to_state)
                 SELECT id FROM tasks WHERE (ended_at_ms IS NOT NULL) <>
                   (SELECT total(ends) FROM moves WHERE task_id = id)
                   OR ended_at_ms <> (SELECT max(at_ms) FROM moves WHERE task_id = id AND ends = 1)
                   OR (SELECT count(*) FROM moves WHERE task_id = id AND ends = 1) <>
                   (SELECT count(*) FROM deliveries WHERE task_id = tasks.id))")
                  .empty());
  }

 private:
  NewTask new_task() {
    NewTask one = task();
    one.spec.max_lost = 0;
    one.spec.keep_ms = number_from(0, 2) == 0 ? 0 : 1'000'000'000;
    one.spec.notify = {{.hook = "mail", .on = {}}};
    return one;
  }
  static DependencyOn some_on() {
    return any_of<DependencyOn>({DependencyOn::ok, DependencyOn::any, DependencyOn::failed});
  }
  static OnDependencyFailed some_policy() {
    using Policy = OnDependencyFailed;
    return any_of<Policy>({Policy::fail, Policy::fail, Policy::cancel, Policy::run});
  }
  // Those that are worth a look: heads of families, joins, and the ends of the latest family.
  std::vector<TaskId> there() {
    std::erase_if(notable_, [&](TaskId id) { return !store->get(kRoot, id); });
    return notable_;
  }

  // A head, which may depend on others, and many that depend on it.
  void submit_family() {
    NewTask head = new_task();
    const std::vector<TaskId> others = there();
    if (!others.empty() && number_from(0, 3) > 0) {
      head.spec.constraints.depends_on = {{any_of(others), some_on()}};
      head.spec.constraints.on_dependency_failed = some_policy();
    }
    notable_.push_back(submit(head));
    NewTask one = new_task();
    one.hold = number_from(0, 5) == 0;
    one.spec.constraints.depends_on = {{notable_.back(), some_on()}};
    one.spec.constraints.on_dependency_failed = some_policy();
    const int size = number_from(1, largest_family_);
    const auto ids =
        std::get<Submitted>(try_submit(std::vector<NewTask>(static_cast<std::size_t>(size), one)))
            .ids;
    log(ids.front(), " to ", ids.back(), " after ", notable_.back(), ":",
        to_string(one.spec.constraints.depends_on[0].on), " or else ",
        to_string(one.spec.constraints.on_dependency_failed));
    notable_.push_back(ids.front());
    if (ids.size() > 1) notable_.push_back(ids.back());
  }
  void submit_join() {
    NewTask join = new_task();
    for (const TaskId id : there()) {
      if (number_from(0, 3) == 0) join.spec.constraints.depends_on.push_back({id, some_on()});
    }
    join.spec.constraints.on_dependency_failed = some_policy();
    notable_.push_back(submit(join));
    log(notable_.back(), " joins ", join.spec.constraints.depends_on.size());
  }

  void end_some() {
    std::vector<Finish> finishes;
    for (const Claim& claim : store->claim(number_from(1, 4)).claims) {
      finishes.push_back(end_of(claim, OutcomeKind::exited, number_from(0, 2)));
      log(claim.task, " ends with ", finishes.back().end.outcome.code);
    }
    if (!finishes.empty()) store->finish(finishes, 0);
  }
  static Verb some_verb() {
    return any_of<Verb>({Verb::retry, Verb::retry, Verb::retry, Verb::cancel, Verb::hold,
                         Verb::release, Verb::remove});
  }
  void control_some() {
    const std::vector<TaskId> all = there();
    if (all.empty()) return;
    const Verb verb = some_verb();
    const TaskId id = any_of(all);
    log(to_string(verb), " ", id);
    control(verb, std::vector<TaskId>{id});  // it may be refused
  }
  // As a workflow's verbs do.
  void control_all() {
    ControlRequest request;
    request.actor = kAlice;
    request.verb = some_verb();
    request.filter.emplace();
    log(to_string(request.verb), " all");
    store->control(request);
  }

  const int largest_family_;
  std::vector<TaskId> notable_;
};

TEST_CASE("whatever happens while dependants lag behind, in the end links and tasks agree") {
  const bool holds = rc::check([] {
    LaggingHistory history;
    const int steps = number_from(5, 40);
    for (int i = 0; i < steps; ++i) history.step();
    history.come_to_rest();
    history.check_links();
    history.check_ends();
  });
  CHECK(holds);
}

}  // namespace
}  // namespace taskd
