#include "daemon/api/http/user_throttle.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "tests/unit/api/as_user.h"

namespace taskd::test {
namespace {

constexpr std::uint32_t kHeavy = 1001;
constexpr std::uint32_t kLight = 1002;
constexpr std::uint32_t kThird = 1003;
constexpr BootTime kStart{1'000'000};

// One request of the user's, answered at once, that took so much.
void ask(UserThrottle& throttle, std::uint32_t uid, std::int64_t cpu_us, BootTime now) {
  throttle.arrived(uid, now);
  throttle.begun(uid);
  throttle.ended(uid, cpu_us, now);
}

TEST_CASE("a user who is alone never pauses, whatever he asks for") {
  UserThrottle throttle;
  for (int i = 0; i < 5; ++i) ask(throttle, kHeavy, 1'000'000, kStart);
  CHECK_FALSE(throttle.pauses_until(kHeavy, kStart));
}

TEST_CASE(
    "who took long pauses nine times as long while somebody else is there, and two seconds at "
    "most") {
  UserThrottle throttle;
  ask(throttle, kHeavy, 1'000 + 5'000, kStart);
  throttle.arrived(kLight, kStart);
  CHECK(throttle.pauses_until(kHeavy, kStart) == kStart + 45);
  CHECK_FALSE(throttle.pauses_until(kHeavy, kStart + 45));
  CHECK_FALSE(throttle.pauses_until(kLight, kStart));
  ask(throttle, kHeavy, 3'600'000'000, kStart + 45);
  ask(throttle, kLight, 100, kStart + 2'044);
  CHECK(throttle.pauses_until(kHeavy, kStart + 2'044) == kStart + 2'045);
  CHECK_FALSE(throttle.pauses_until(kHeavy, kStart + 2'045));
}

TEST_CASE("a pause is over as soon as nobody else is there any more") {
  UserThrottle throttle;
  ask(throttle, kHeavy, 500'000, kStart);
  ask(throttle, kLight, 100, kStart + 10);
  ask(throttle, kThird, 100, kStart + 20);
  CHECK(throttle.pauses_until(kHeavy, kStart + 30) == kStart + 70);
  CHECK_FALSE(throttle.pauses_until(kHeavy, kStart + 70));
}

TEST_CASE("who waits for his answer is there all that time") {
  UserThrottle throttle;
  ask(throttle, kHeavy, 500'000, kStart);
  throttle.arrived(kLight, kStart);
  throttle.begun(kLight);
  CHECK(throttle.pauses_until(kHeavy, kStart + 1'000) == kStart + 1'050);
  throttle.ended(kLight, 100, kStart + 1'010);
  CHECK(throttle.pauses_until(kHeavy, kStart + 1'020) == kStart + 1'060);
}

TEST_CASE("small requests owe nothing, however many they are") {
  UserThrottle throttle;
  for (int i = 0; i < 10'000; ++i) ask(throttle, kHeavy, UserThrottle::kFreeUs, kStart);
  throttle.arrived(kLight, kStart);
  CHECK_FALSE(throttle.pauses_until(kHeavy, kStart));
}

TEST_CASE("users who all ask for much do not wait for each other") {
  UserThrottle throttle;
  ask(throttle, kHeavy, 500'000, kStart);
  ask(throttle, kLight, 500'000, kStart);
  CHECK_FALSE(throttle.pauses_until(kHeavy, kStart));
  CHECK_FALSE(throttle.pauses_until(kLight, kStart));
}

TEST_CASE("after a pause a user has one request answered at a time while others are there") {
  UserThrottle throttle;
  ask(throttle, kHeavy, 6'000, kStart);
  throttle.begun(kHeavy);
  ask(throttle, kLight, 100, kStart + 100);
  CHECK(throttle.pauses_until(kHeavy, kStart + 100));
  throttle.ended(kHeavy, 100, kStart + 101);
  CHECK_FALSE(throttle.pauses_until(kHeavy, kStart + 101));
}

TEST_CASE("who pauses no more has as many requests answered at once as before") {
  UserThrottle throttle;
  ask(throttle, kHeavy, 6'000, kStart);
  for (int second = 1; second <= 10; ++second) {
    const BootTime now = kStart + 1'000 * second;
    throttle.arrived(kHeavy, now);
    throttle.begun(kHeavy);
    ask(throttle, kLight, 100, now);
    if (second > 2) CHECK_FALSE(throttle.pauses_until(kHeavy, now));
    throttle.ended(kHeavy, 100, now);
  }
  // What costs hardly more than is free owes nothing.
  ask(throttle, kThird, UserThrottle::kFreeUs + 100, kStart);
  throttle.begun(kThird);
  CHECK_FALSE(throttle.pauses_until(kThird, kStart));
}

TEST_CASE("work beside the answer of a request is owed as well") {
  UserThrottle throttle;
  throttle.charge(kHeavy, 6'000, kStart);
  ask(throttle, kLight, 100, kStart);
  CHECK(throttle.pauses_until(kHeavy, kStart) == kStart + 45);
}

TEST_CASE("users who are gone are forgotten") {
  UserThrottle throttle;
  for (std::uint32_t uid = 1; uid <= 1000; ++uid) ask(throttle, uid, 500'000, kStart);
  CHECK(throttle.users() == 1000);
  throttle.arrived(kLight, kStart + 60'000);
  CHECK(throttle.users() == 1);
}

TEST_CASE("while one user's large requests pause, another's small ones are answered") {
  if (!can_be_others()) return;
  const ApiFixture api;
  const std::string small = get("/v1/handlers");
  std::string large = R"({"tasks":[{"argv":["true"],"hold":true})";
  for (int i = 1; i < 1000; ++i) large += R"(,{"argv":["true"],"hold":true})";
  large += "]}";
  std::atomic<int> answered = 0;
  std::atomic<bool> over = false;
  std::thread other([&] {
    RawClient client = connect_as(api, 54'322);
    while (!over) {
      client.send(small);
      if (client.receive().status == 200) ++answered;
    }
  });
  while (answered == 0) std::this_thread::yield();
  RawClient client = connect_as(api, 54'321);
  client.send(post("/v1/tasks", large));
  CHECK(client.receive().status == 201);
  const int before = answered;
  client.send(post("/v1/tasks", R"({"argv":["true"],"hold":true})"));
  CHECK(client.receive().status == 201);  // in the end
  CHECK(answered - before >= 5);
  over = true;
  other.join();
}

}  // namespace
}  // namespace taskd::test
