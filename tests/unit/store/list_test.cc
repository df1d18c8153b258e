#include <algorithm>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

std::vector<TaskId> ids_of(const std::vector<Task>& tasks) {
  std::vector<TaskId> ids;
  for (const Task& task : tasks) ids.push_back(task.id);
  return ids;
}

struct ListFixture : Fixture {
  // Ten tasks in all states but blocked; the odd ones are Bob's.
  ListFixture() {
    for (int i = 1; i <= 10; ++i) {
      NewTask task = Fixture::task();
      task.spec.name = i % 3 == 0 ? "third" : "";
      task.spec.labels = {{"n", std::to_string(i % 2)}, {"all", "yes"}};
      if (i > 8) task.delay_ms = 1000;
      submit(task, i % 2 == 0 ? kAlice : kBob);
    }
    finish(claim());                          // 1 succeeded
    finish(claim(), OutcomeKind::exited, 1);  // 2 failed
    finish(claim(), OutcomeKind::exited, 1);  // 3 failed
    claim();                                  // 4 running
    control(Verb::hold, {5, 6}, kRoot);       // 5, 6 held
    control(Verb::cancel, {7}, kRoot);        // 7 cancelled; 8 queued; 9, 10 scheduled
  }
  std::vector<TaskId> list(const ListRequest& request) { return ids_of(store->list(request)); }
  static ListRequest all(Actor actor = kRoot) {
    ListRequest request;
    request.actor = actor;
    return request;
  }
  static ListRequest in(std::vector<State> states, Actor actor = kRoot) {
    ListRequest request = all(actor);
    request.filter.states = std::move(states);
    return request;
  }
};

using Ids = std::vector<TaskId>;

TEST_CASE_FIXTURE(ListFixture, "lists are newest first unless asked otherwise") {
  CHECK(list(all()) == Ids{10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  ListRequest oldest = all();
  oldest.oldest_first = true;
  oldest.limit = 3;
  CHECK(list(oldest) == Ids{1, 2, 3});
}

TEST_CASE_FIXTURE(ListFixture, "a list shows one's own tasks, and an admin everybody's") {
  CHECK(list(all(kAlice)) == Ids{10, 8, 6, 4, 2});
  CHECK(list(all({77, false})).empty());
  ListRequest bobs = all();
  bobs.filter.uid = kBob.uid;
  CHECK(list(bobs) == Ids{9, 7, 5, 3, 1});
  bobs.actor = kAlice;
  CHECK(list(bobs).empty());
  CHECK(store->last(kBob) == 9);
  CHECK_FALSE(store->last(kRoot));  // what one's own user submitted
}

TEST_CASE_FIXTURE(ListFixture, "every state can be listed, alone and together") {
  CHECK(list(in({State::succeeded})) == Ids{1});
  CHECK(list(in({State::failed})) == Ids{3, 2});
  CHECK(list(in({State::running})) == Ids{4});
  CHECK(list(in({State::held})) == Ids{6, 5});
  CHECK(list(in({State::cancelled})) == Ids{7});
  CHECK(list(in({State::queued})) == Ids{8});
  CHECK(list(in({State::scheduled})) == Ids{10, 9});
  CHECK(list(in({State::blocked})).empty());
  CHECK(list(in({State::held, State::failed, State::queued, State::held})) == Ids{8, 6, 5, 3, 2});
  CHECK(list(in({State::held, State::failed}, kBob)) == Ids{5, 3});
  CHECK(list(in({std::begin(kAllStates), std::end(kAllStates)})).size() == 10);
}

TEST_CASE_FIXTURE(ListFixture, "names and labels select, also together with a state") {
  ListRequest request = all();
  request.filter.name = "third";
  CHECK(list(request) == Ids{9, 6, 3});
  request.filter.labels = {{"n", "1"}, {"all", "yes"}};
  CHECK(list(request) == Ids{9, 3});
  request.filter.states = {State::failed};
  CHECK(list(request) == Ids{3});
  request.actor = kAlice;
  CHECK(list(request).empty());
}

TEST_CASE_FIXTURE(ListFixture, "pages join without gaps or repeats, in both orders") {
  for (const bool oldest_first : {false, true}) {
    for (const std::vector<State>& states :
         {std::vector<State>{}, {State::held, State::failed, State::scheduled}}) {
      ListRequest request = in(states);
      request.oldest_first = oldest_first;
      const Ids whole = list(request);
      request.limit = 2;
      Ids joined;
      for (Ids page = list(request); !page.empty(); page = list(request)) {
        CHECK(page.size() <= 2);
        joined.insert(joined.end(), page.begin(), page.end());
        request.after = page.back();
      }
      CHECK(joined == whole);
    }
  }
}

TEST_CASE_FIXTURE(ListFixture, "a listed task is the whole task") {
  ListRequest failed = in({State::failed});
  failed.limit = 1;
  const Task listed = store->list(failed).at(0);
  CHECK(listed.last_outcome == Outcome{OutcomeKind::exited, 1, ""});
  CHECK(listed.reason == Reason::exit);
  CHECK(listed.spec == get(listed.id).spec);
}

TEST_CASE_FIXTURE(ListFixture, "foreign text in a filter is only text") {
  ListRequest request = all();
  request.filter.name = "' OR 1=1 --";
  request.filter.queue = "x'; DROP TABLE tasks; --";
  CHECK(list(request).empty());
  request = all();
  request.filter.labels = {{"n' OR '1'='1", "\"; --"}};
  CHECK(list(request).empty());
  CHECK(list(all()).size() == 10);
}

// The promise that a list costs the same at any depth rests on these plans.
TEST_CASE_FIXTURE(ListFixture, "claim, promotion and lists by state walk an index in its order") {
  SQLite::Database db = open_database();
  for (const char* sql :
       {"SELECT id, priority FROM tasks INDEXED BY tasks_ready WHERE state = 'queued' AND"
        " queue = 'default' AND demand = '' ORDER BY priority DESC, id LIMIT 1",
        "SELECT demand FROM tasks INDEXED BY tasks_ready WHERE state = 'queued' AND"
        " queue = 'default' AND demand > '' ORDER BY demand LIMIT 1",
        "SELECT id, priority FROM tasks INDEXED BY tasks_active_of_key WHERE key_id = 1 AND"
        " state = 'blocked' AND queue = 'default' AND blocked_on = 'key' ORDER BY priority DESC, "
        "id LIMIT 1",
        "SELECT id, priority FROM tasks INDEXED BY tasks_active_of_key WHERE key_id = 1 AND"
        " queue = 'default' AND state = 'queued' ORDER BY priority, id DESC LIMIT 1",
        "SELECT queue FROM tasks INDEXED BY tasks_active_of_key WHERE key_id = 1 AND"
        " state = 'blocked' AND queue > 'a' AND blocked_on = 'key' ORDER BY queue LIMIT 1",
        "SELECT 1 FROM tasks INDEXED BY tasks_active_of_key WHERE key_id = 1 AND state = 'blocked'"
        " AND queue = 'a' AND blocked_on = 'key' AND priority = 3 AND id < 4 LIMIT 1",
        "SELECT demand FROM tasks INDEXED BY tasks_running_demand WHERE state = 'running' AND"
        " demand <> ''",
        "SELECT id FROM tasks INDEXED BY tasks_due WHERE state = 'scheduled' AND due_at_ms <= 1"
        " ORDER BY due_at_ms, id LIMIT 1",
        "SELECT t.id FROM tasks t INDEXED BY tasks_in_state WHERE t.state = 'failed' AND t.id < 5"
        " ORDER BY t.id DESC LIMIT 1",
        "SELECT t.id FROM tasks t INDEXED BY tasks_of_user WHERE t.uid = 7 AND t.id < 5"
        " ORDER BY t.id DESC LIMIT 1",
        "SELECT t.id FROM task_labels l CROSS JOIN tasks t ON t.id = l.task_id"
        " WHERE l.key = 'a' AND l.value = 'b' AND l.task_id < 5 ORDER BY l.task_id DESC LIMIT 1"}) {
    SQLite::Statement plan(db, std::string("EXPLAIN QUERY PLAN ") + sql);
    while (plan.executeStep()) {
      const std::string step = plan.getColumn(3).getString();
      CAPTURE(sql);
      CAPTURE(step);
      CHECK(step.find("TEMP B-TREE") == std::string::npos);
    }
  }
}

}  // namespace
}  // namespace taskd
