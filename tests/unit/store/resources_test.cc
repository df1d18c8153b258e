// Slots and resources: what starts when the machine is shared.
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

using Ids = std::vector<TaskId>;

struct ResourcesFixture : Fixture {
  ResourcesFixture() {
    machine = {4, {{"gpu", {2, {"0", "1"}}}, {"memory", {10, {}}}}};
    restart();
  }
  TaskId needing(int slots, std::map<std::string, std::int64_t> resources = {}, int priority = 0) {
    NewTask one = task(priority);
    one.spec.constraints.slots = slots;
    one.spec.constraints.resources = std::move(resources);
    return submit(one);
  }
  Ids claim_all() {
    Ids ids;
    for (const Claim& claim : store->claim(1000).claims) {
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

TEST_CASE_FIXTURE(ResourcesFixture, "no more slots are taken than there are workers") {
  needing(2);
  needing(1);
  needing(1);
  needing(1);
  CHECK(claim_all() == Ids{1, 2, 3});
  restart();
  CHECK(claim_all().empty());
  end(2);
  CHECK(claim_all() == Ids{4});
}

TEST_CASE_FIXTURE(ResourcesFixture,
                  "a large task at the head is not passed by small ones for ever") {
  for (int i = 0; i < 4; ++i) needing(1);
  claim_all();
  needing(3);
  for (int i = 0; i < 4; ++i) needing(1);
  end(1);
  CHECK(claim_all().empty());
  end(2);
  CHECK(claim_all().empty());
  end(3);
  CHECK(claim_all() == Ids{5});
  end(4);
  CHECK(claim_all() == Ids{6});
}

TEST_CASE_FIXTURE(ResourcesFixture, "attempts get units of an indexed resource of their own") {
  needing(1, {{"gpu", 1}});
  needing(1, {{"gpu", 1}});
  needing(1, {{"gpu", 1}});
  CHECK(claim_all() == Ids{1, 2});
  CHECK(live.at(1).grant == Grant{{"gpu", {"0"}}});
  CHECK(live.at(2).grant == Grant{{"gpu", {"1"}}});
  restart();
  end(1);
  CHECK(claim_all() == Ids{3});
  CHECK(live.at(3).grant == Grant{{"gpu", {"0"}}});
}

TEST_CASE_FIXTURE(ResourcesFixture, "who waits for a resource leaves the slots to others") {
  needing(1, {{"gpu", 2}});
  CHECK(claim_all() == Ids{1});
  needing(2, {{"gpu", 1}});
  needing(1);
  needing(1);
  needing(1, {{"gpu", 1}});
  CHECK(claim_all() == Ids{3, 4});
  end(1);
  // Both units are free; the task in front needs a second slot first and keeps what it needs.
  CHECK(claim_all() == Ids{2});
  CHECK(claim_all().empty());
  end(3);
  CHECK(claim_all() == Ids{5});
}

TEST_CASE_FIXTURE(ResourcesFixture,
                  "a task that waits for a lot of a resource gets it in the end") {
  needing(1, {{"memory", 6}});
  needing(1, {{"memory", 4}});
  claim_all();
  needing(1, {{"memory", 8}});
  needing(1, {{"memory", 4}});
  end(2);
  CHECK(claim_all().empty());
  end(1);
  CHECK(claim_all() == Ids{3});
}

TEST_CASE_FIXTURE(ResourcesFixture, "the reservation of one queue holds against the others") {
  store->set_queue(kRoot, {.name = "big"}, true);
  for (int i = 0; i < 4; ++i) needing(1);
  claim_all();
  NewTask big = task();
  big.spec.queue = "big";
  big.spec.constraints.slots = 4;
  submit(big);
  for (int i = 0; i < 20; ++i) needing(1);
  for (TaskId id = 1; id <= 4; ++id) {
    end(id);
    const Ids started = claim_all();
    CHECK(started == (id == 4 ? Ids{5} : Ids{}));
  }
}

TEST_CASE_FIXTURE(ResourcesFixture,
                  "who waits for a resource keeps it whatever of its queue starts meanwhile") {
  store->set_queue(kRoot, {.name = "big"}, true);
  needing(1, {{"gpu", 1}});
  needing(1, {{"gpu", 1}});
  claim_all();
  NewTask big = task();
  big.spec.queue = "big";
  big.spec.constraints.resources = {{"gpu", 2}};
  submit(big);
  big.spec.constraints.resources.clear();
  for (int i = 0; i < 3; ++i) submit(big);
  needing(1, {{"gpu", 1}});
  CHECK(claim_all() == Ids{4, 5});
  end(1);
  CHECK(claim_all() == Ids{6});
  end(2);
  CHECK(claim_all() == Ids{3});
}

TEST_CASE_FIXTURE(ResourcesFixture, "what can never start here any more holds up nobody") {
  needing(4);
  needing(1);
  machine.slots = 2;
  restart();
  CHECK(claim_all() == Ids{2});
}

TEST_CASE_FIXTURE(ResourcesFixture, "more is told exactly, so that no worker looks in vain") {
  needing(4);
  needing(4);
  const Claims first = store->claim(1);
  CHECK(first.claims.size() == 1);
  CHECK_FALSE(first.more);
}

TEST_CASE_FIXTURE(ResourcesFixture,
                  "who is next is known whatever came and went while the queue was paused") {
  machine.resources["memory"].amount = 10'000;
  restart();
  const auto with_memory = [](std::int64_t amount, int priority) {
    NewTask one = task(priority);
    one.spec.constraints.resources["memory"] = amount;
    return one;
  };
  needing(1);
  CHECK(claim_all() == Ids{1});  // the queue was looked at
  store->control_queue(kRoot, "default", QueueVerb::pause);
  std::vector<NewTask> many;
  for (int i = 1; i <= 1'500; ++i) many.push_back(with_memory(i, 5));
  const Ids passing = std::get<Submitted>(try_submit(many)).ids;
  control(Verb::cancel, passing);
  const TaskId low = submit(with_memory(3, -1));
  const TaskId usual = submit(with_memory(2, 0));
  const TaskId high = submit(with_memory(1, 1));
  store->control_queue(kRoot, "default", QueueVerb::resume);
  CHECK(claim_all() == Ids{high, usual, low});
}

TEST_CASE_FIXTURE(ResourcesFixture, "an edit that changes needs or priority changes who is next") {
  const TaskId first = needing(1);
  const TaskId second = needing(1);
  CHECK(claim_all() == Ids{first, second});
  needing(3);  // too large now, so the line is known
  const TaskId third = needing(3);
  CHECK(claim_all().empty());
  const auto edit = [&](TaskId id, int slots, int priority) {
    EditRequest request;
    request.actor = kAlice;
    request.task = id;
    request.was = get(id).spec;
    request.to.spec = request.was;
    request.to.spec.constraints.slots = slots;
    request.to.spec.priority = priority;
    CHECK(std::holds_alternative<Edited>(store->edit(request)));
  };
  edit(third, 2, 7);
  CHECK(claim_all() == Ids{third});
  end(first);
  end(second);
  end(third);
  CHECK(claim_all() == Ids{3});
}

}  // namespace
}  // namespace taskd
