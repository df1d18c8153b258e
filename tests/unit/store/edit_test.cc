#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

struct EditFixture : Fixture {
  EditRequest edit_of(TaskId id) {
    const Task task = get(id);
    EditRequest request;
    request.actor = kAlice;
    request.task = id;
    request.was = task.spec;
    request.was_due_at = task.due_at;
    request.to.spec = task.spec;
    request.fields = "x";
    return request;
  }
  bool edited(const EditRequest& request) {
    return std::holds_alternative<Edited>(store->edit(request));
  }
  void set_queue(const QueuePatch& patch) { store->set_queue(kRoot, patch, true); }
  std::int64_t count(const std::string& queue, State state) {
    return store->queue(queue).value().counts[static_cast<std::size_t>(state)];
  }
  std::string last_detail(TaskId id) {
    return texts("SELECT detail FROM events WHERE task_id = " + std::to_string(id) +
                 " ORDER BY seq DESC LIMIT 1")
        .at(0);
  }
};

TEST_CASE_FIXTURE(EditFixture, "an edit changes the whole spec, its columns and its labels") {
  NewTask first = task();
  first.spec.labels = {{"a", "1"}, {"b", "2"}};
  const TaskId id = submit(first);
  EditRequest request = edit_of(id);
  request.to.spec.name = "renamed";
  request.to.spec.argv = {"/bin/false", "x"};
  request.to.spec.env = {{"K", "V"}};
  request.to.spec.labels = {{"b", "3"}};
  request.to.spec.priority = 7;
  request.fields = "name,argv";
  CHECK(edited(request));
  CHECK(get(id).spec == request.to.spec);
  CHECK(texts("SELECT key || '=' || value FROM task_labels") == std::vector<std::string>{"b=3"});
  CHECK(events_of(id) == std::vector<std::string>{"submitted", "edited"});
  CHECK(last_detail(id) == "fields=name,argv");
  CHECK(claim().spec == request.to.spec);
}

TEST_CASE_FIXTURE(EditFixture, "a higher priority starts earlier") {
  submit();
  const TaskId second = submit();
  EditRequest request = edit_of(second);
  request.to.spec.priority = 1;
  CHECK(edited(request));
  CHECK(claim().task == second);
}

TEST_CASE_FIXTURE(EditFixture, "an edit into another queue counts there, and respects its limits") {
  set_queue({"small", 1});
  const TaskId id = submit();
  const TaskId other = submit();
  EditRequest request = edit_of(id);
  request.to.spec.queue = "small";
  take_changes();
  CHECK(edited(request));
  CHECK(take_changes().at(0).to == State::queued);  // wakes a worker: the queue may have room
  CHECK(count("default", State::queued) == 1);
  CHECK(count("small", State::queued) == 1);
  request = edit_of(other);
  request.to.spec.queue = "small";
  CHECK(std::holds_alternative<QueueFull>(store->edit(request)));
  request.to.spec.queue = "none";
  CHECK(std::holds_alternative<UnknownQueue>(store->edit(request)));
  CHECK(get(other).spec.queue == "default");
  restart();
  CHECK(count("small", State::queued) == 1);
  CHECK(claim().task == other);
  CHECK(claim().task == id);
}

TEST_CASE_FIXTURE(EditFixture, "an edit of the start moves a task between queued and scheduled") {
  const TaskId id = submit();
  EditRequest later = edit_of(id);
  later.to.delay_ms = 5000;
  later.sets_start = true;
  CHECK(edited(later));
  CHECK(state(id) == State::scheduled);
  CHECK(get(id).due_at == clock.wall_now() + 5000);
  CHECK(store->claim(1).claims.empty());

  EditRequest name = edit_of(id);
  name.to.spec.name = "n";
  CHECK(edited(name));
  CHECK(get(id).due_at == clock.wall_now() + 5000);

  EditRequest now = edit_of(id);
  now.sets_start = true;
  CHECK(edited(now));
  CHECK(state(id) == State::queued);
  CHECK(get(id).due_at == std::nullopt);
  CHECK(claim().task == id);
}

TEST_CASE_FIXTURE(EditFixture, "a held task stays held, and keeps its new start for its release") {
  NewTask held = task();
  held.hold = true;
  const TaskId id = submit(held);
  EditRequest request = edit_of(id);
  request.to.delay_ms = 5000;
  request.sets_start = true;
  CHECK(edited(request));
  CHECK(state(id) == State::held);
  CHECK(control(Verb::release, id).state == State::scheduled);
}

TEST_CASE_FIXTURE(EditFixture, "what runs, has ended, or is another's is not edited") {
  const TaskId id = submit();
  EditRequest request = edit_of(id);
  request.to.spec.name = "n";
  const Claim claimed = claim();
  CHECK(std::get<WrongState>(store->edit(request)).state == State::running);
  finish(claimed);
  CHECK(std::get<WrongState>(store->edit(request)).state == State::succeeded);
  request.actor = kBob;
  CHECK(std::holds_alternative<NotFound>(store->edit(request)));
  request.task = 99;
  CHECK(std::holds_alternative<NotFound>(store->edit(request)));
}

TEST_CASE_FIXTURE(EditFixture, "an edit of a task that somebody changed since changes nothing") {
  const TaskId id = submit();
  EditRequest mine = edit_of(id);
  EditRequest theirs = mine;
  theirs.to.spec.priority = 5;
  CHECK(edited(theirs));
  mine.to.spec.name = "n";
  CHECK(std::holds_alternative<EditedMeanwhile>(store->edit(mine)));
  CHECK(get(id).spec.name.empty());
  EditRequest start = edit_of(id);
  theirs = start;
  theirs.to.delay_ms = 5000;
  theirs.sets_start = true;
  CHECK(edited(theirs));
  CHECK(std::holds_alternative<EditedMeanwhile>(store->edit(start)));
}

TEST_CASE_FIXTURE(EditFixture, "an edit that changes nothing leaves no trace") {
  const TaskId id = submit();
  CHECK(edited(edit_of(id)));
  CHECK(events_of(id) == std::vector<std::string>{"submitted"});
}

TEST_CASE_FIXTURE(EditFixture, "an ended task is edited and runs again in one step") {
  set_queue({"small", 1});
  NewTask two = task();
  two.spec.max_attempts = 2;
  two.spec.backoff.initial_ms = 0;
  const TaskId id = submit(two);
  CHECK(finish(claim(), OutcomeKind::exited, 1));
  store->promote(clock.wall_now(), 9);
  CHECK(finish(claim(), OutcomeKind::exited, 1));
  CHECK(state(id) == State::failed);
  EditRequest request = edit_of(id);
  request.retry = true;
  request.to.spec.argv = {"/bin/true", "again"};
  request.to.spec.queue = "small";
  CHECK(edited(request));
  const Task task = get(id);
  CHECK(task.state == State::queued);
  CHECK(task.tries == 0);
  CHECK(task.attempt == 2);
  CHECK(count("default", State::failed) == 0);
  CHECK(count("small", State::queued) == 1);
  CHECK(store->attempts(id).size() == 2);
  CHECK(claim().spec.argv.at(1) == "again");
  request = edit_of(id);
  request.retry = true;
  CHECK(std::holds_alternative<WrongState>(store->edit(request)));
}

TEST_CASE_FIXTURE(EditFixture, "an ended task is not retried into a queue that is full") {
  set_queue({"small", 0});
  const TaskId id = submit();
  finish(claim(), OutcomeKind::exited, 1);
  EditRequest request = edit_of(id);
  request.retry = true;
  request.to.spec.queue = "small";
  CHECK(std::holds_alternative<QueueFull>(store->edit(request)));
  CHECK(get(id).spec.queue == "default");
  CHECK(state(id) == State::failed);
}

TEST_CASE_FIXTURE(EditFixture, "a move takes waiting tasks along with their state and counts") {
  set_queue({"other", 3});
  NewTask later = task();
  later.delay_ms = 1000;
  const TaskId queued = submit();
  const TaskId scheduled = submit(later);
  ControlRequest move;
  move.actor = kAlice;
  move.verb = Verb::move;
  move.queue = "other";
  move.ids = {queued, scheduled};
  CHECK(std::holds_alternative<std::vector<ControlChange>>(store->control(move)));
  CHECK(get(queued).spec.queue == "other");
  CHECK(state(scheduled) == State::scheduled);
  CHECK(count("other", State::queued) == 1);
  CHECK(count("other", State::scheduled) == 1);
  CHECK(events_of(queued) == std::vector<std::string>{"submitted", "moved"});
  CHECK(last_detail(queued) == "from=default to=other");
  // Again is fine, and nothing new.
  CHECK(std::holds_alternative<std::vector<ControlChange>>(store->control(move)));
  CHECK(events_of(queued).size() == 2);

  const TaskId third = submit();
  const TaskId fourth = submit();
  move.ids = {third, fourth};
  CHECK(std::get<QueueFull>(store->control(move)).queue == "other");
  CHECK(get(third).spec.queue == "default");
  move.queue = "none";
  CHECK(std::get<UnknownQueue>(store->control(move)).queue == "none");
}

TEST_CASE_FIXTURE(EditFixture, "a move by filter goes as far as the queue has room") {
  set_queue({"other", 3});
  for (int i = 0; i < 5; ++i) submit();
  const Claim running = claim();
  ControlRequest move;
  move.actor = kAlice;
  move.verb = Verb::move;
  move.queue = "other";
  move.filter = Filter{};
  const ControlResult result = store->control(move);
  CHECK(std::get<QueueFull>(result).changed == 3);
  CHECK(count("other", State::queued) == 3);
  CHECK(count("default", State::queued) == 1);
  CHECK(get(running.task).spec.queue == "default");
  set_queue({"other", 9});
  const auto rest = std::get<std::vector<ControlChange>>(store->control(move));
  CHECK(rest.size() == 1);  // those that are there already are not moved again
  move.queue = "none";
  CHECK(std::holds_alternative<UnknownQueue>(store->control(move)));
}

TEST_CASE_FIXTURE(EditFixture, "an edit of a task that was once delayed leaves it in its line") {
  NewTask late = task();
  late.delay_ms = 1000;
  SUBCASE("queued") {}
  SUBCASE("held back by its key") {
    late.spec.constraints.key.name = "k";
    NewTask first = task();
    first.spec.constraints.key.name = "k";
    submit(first);
    claim();
  }
  const TaskId id = submit(late);
  clock.wall_ms += 1000;
  store->promote(clock.wall_now(), 10);
  const State before = state(id);
  CHECK(before != State::scheduled);
  EditRequest request = edit_of(id);
  request.to.spec.name = "renamed";
  CHECK(edited(request));
  CHECK(state(id) == before);
}

}  // namespace
}  // namespace taskd
