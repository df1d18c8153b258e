// Random histories of queues against a model that knows only the rules.
#include <rapidcheck.h>

#include <algorithm>
#include <map>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

const char* const kNames[] = {"a", "b", "c"};

struct ModelTask {
  TaskId id;
  int priority;
};

// A token bucket in milliseconds of refilling, exact since intervals divide evenly here.
struct Model {
  std::vector<ModelTask> queued;
  int running = 0;
  std::optional<int> concurrency;
  std::optional<RateLimit> rate;
  std::int64_t level_ms = 0;
  bool paused = false;

  void pass(std::int64_t ms) {
    if (rate) level_ms = std::min(rate->per_ms, level_ms + ms);
  }
  bool may_start() const {
    return !queued.empty() && !paused && (!concurrency || running < *concurrency) &&
           (!rate || level_ms >= rate->per_ms / rate->count);
  }
  // The first in the order of priority and age.
  TaskId first() const {
    return std::min_element(queued.begin(), queued.end(),
                            [](const ModelTask& x, const ModelTask& y) {
                              return x.priority != y.priority ? x.priority > y.priority
                                                              : x.id < y.id;
                            })
        ->id;
  }
  void start(TaskId id) {
    std::erase_if(queued, [&](const ModelTask& task) { return task.id == id; });
    ++running;
    if (rate) level_ms -= rate->per_ms / rate->count;
  }
};

struct QueueHistory : Fixture {
  QueueHistory() {
    for (const char* name : kNames) store->set_queue(kRoot, {.name = name}, true);
  }

  void submit_one(const std::string& queue) {
    NewTask one = task(*rc::gen::inRange(0, 3));
    one.spec.queue = queue;
    models[queue].queued.push_back({submit(one), one.spec.priority});
  }

  // Each must be the first of a queue that may start one; and none may be left waiting.
  void claim_some(int limit) {
    const Claims taken = store->claim(limit);
    for (const Claim& claim : taken.claims) {
      Model& model = models.at(claim.spec.queue);
      RC_ASSERT(model.may_start());
      RC_ASSERT(model.first() == claim.task);
      model.start(claim.task);
      live.push_back(claim);
    }
    const bool more = std::any_of(models.begin(), models.end(),
                                  [](const auto& entry) { return entry.second.may_start(); });
    RC_ASSERT(taken.more == more);
    RC_ASSERT(std::cmp_equal(taken.claims.size(), limit) || !more);
  }

  void finish_one() {
    if (live.empty()) return;
    const auto which = *rc::gen::inRange<std::size_t>(0, live.size());
    --models.at(live[which].spec.queue).running;
    finish(live[which]);
    live.erase(live.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void change(const std::string& queue) {
    Model& model = models[queue];
    switch (*rc::gen::inRange(0, 3)) {
      case 0:
        model.concurrency = std::nullopt;
        if (*rc::gen::arbitrary<bool>()) model.concurrency = *rc::gen::inRange(1, 4);
        store->set_queue(kRoot, {.name = queue, .concurrency = model.concurrency}, false);
        break;
      case 1:
        model.paused = !model.paused;
        store->control_queue(kRoot, queue, model.paused ? QueueVerb::pause : QueueVerb::resume);
        break;
      default:
        if (model.rate) break;  // what a bucket holds when its size changes is nobody's promise
        model.rate = RateLimit{*rc::gen::inRange(1, 4), 1200};
        model.level_ms = 1200;
        store->set_queue(kRoot, {.name = queue, .rate = model.rate}, false);
    }
  }

  void pass(std::int64_t ms) {
    clock.now_ms += ms;
    for (auto& [name, model] : models) model.pass(ms);
  }

  std::map<std::string, Model> models;
  std::vector<Claim> live;
};

TEST_CASE("in any history the limits hold, and nothing that may start is left waiting") {
  const bool holds = rc::check([] {
    QueueHistory history;
    const int steps = *rc::gen::inRange(5, 80);
    for (int i = 0; i < steps; ++i) {
      const std::string queue = kNames[*rc::gen::inRange(0, 3)];
      switch (*rc::gen::inRange(0, 7)) {
        case 0:
        case 1:
        case 2:
          history.submit_one(queue);
          break;
        case 3:
          history.finish_one();
          break;
        case 4:
          history.change(queue);
          break;
        case 5:
          history.pass(*rc::gen::inRange(1, 8) * 100);
          break;
        default:
          if (*rc::gen::inRange(0, 10) == 0) history.restart();
      }
      history.claim_some(*rc::gen::inRange(0, 4));
    }
  });
  CHECK(holds);
}

}  // namespace
}  // namespace taskd
