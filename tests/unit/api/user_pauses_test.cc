#include "daemon/api/http/user_pauses.h"

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
void ask(UserPauses& pauses, std::uint32_t uid, std::int64_t cpu_us, BootTime now) {
  pauses.arrived(uid, now);
  pauses.begun(uid);
  pauses.ended(uid, cpu_us, now);
}

TEST_CASE("a user who is alone never pauses, whatever he asks for") {
  UserPauses pauses;
  for (int i = 0; i < 5; ++i) ask(pauses, kHeavy, 1'000'000, kStart);
  CHECK_FALSE(pauses.pauses_until(kHeavy, kStart));
}

TEST_CASE(
    "who took long pauses nine times as long while somebody else is there, and two seconds at "
    "most") {
  UserPauses pauses;
  ask(pauses, kHeavy, 1'000 + 5'000, kStart);
  pauses.arrived(kLight, kStart);
  CHECK(pauses.pauses_until(kHeavy, kStart) == kStart + 45);
  CHECK_FALSE(pauses.pauses_until(kHeavy, kStart + 45));
  CHECK_FALSE(pauses.pauses_until(kLight, kStart));
  ask(pauses, kHeavy, 3'600'000'000, kStart + 45);
  ask(pauses, kLight, 100, kStart + 2'044);
  CHECK(pauses.pauses_until(kHeavy, kStart + 2'044) == kStart + 2'045);
  CHECK_FALSE(pauses.pauses_until(kHeavy, kStart + 2'045));
}

TEST_CASE("a pause is over as soon as nobody else is there any more") {
  UserPauses pauses;
  ask(pauses, kHeavy, 500'000, kStart);
  ask(pauses, kLight, 100, kStart + 10);
  ask(pauses, kThird, 100, kStart + 20);
  CHECK(pauses.pauses_until(kHeavy, kStart + 30) == kStart + 70);
  CHECK_FALSE(pauses.pauses_until(kHeavy, kStart + 70));
}

TEST_CASE("who waits for his answer is there all that time") {
  UserPauses pauses;
  ask(pauses, kHeavy, 500'000, kStart);
  pauses.arrived(kLight, kStart);
  pauses.begun(kLight);
  CHECK(pauses.pauses_until(kHeavy, kStart + 1'000) == kStart + 1'050);
  pauses.ended(kLight, 100, kStart + 1'010);
  CHECK(pauses.pauses_until(kHeavy, kStart + 1'020) == kStart + 1'060);
}

TEST_CASE("small requests owe nothing, however many they are") {
  UserPauses pauses;
  for (int i = 0; i < 10'000; ++i) ask(pauses, kHeavy, UserPauses::kFreeUs, kStart);
  pauses.arrived(kLight, kStart);
  CHECK_FALSE(pauses.pauses_until(kHeavy, kStart));
}

TEST_CASE("users who all ask for much do not wait for each other") {
  UserPauses pauses;
  ask(pauses, kHeavy, 500'000, kStart);
  ask(pauses, kLight, 500'000, kStart);
  CHECK_FALSE(pauses.pauses_until(kHeavy, kStart));
  CHECK_FALSE(pauses.pauses_until(kLight, kStart));
}

TEST_CASE("after a pause a user has one request answered at a time while others are there") {
  UserPauses pauses;
  ask(pauses, kHeavy, 6'000, kStart);
  pauses.begun(kHeavy);
  ask(pauses, kLight, 100, kStart + 100);
  CHECK(pauses.pauses_until(kHeavy, kStart + 100));
  pauses.ended(kHeavy, 100, kStart + 101);
  CHECK_FALSE(pauses.pauses_until(kHeavy, kStart + 101));
}

TEST_CASE("users who are gone are forgotten") {
  UserPauses pauses;
  for (std::uint32_t uid = 1; uid <= 1000; ++uid) ask(pauses, uid, 500'000, kStart);
  CHECK(pauses.users() == 1000);
  pauses.arrived(kLight, kStart + 60'000);
  CHECK(pauses.users() == 1);
}

TEST_CASE("while one user's large requests pause, another's small ones are answered") {
  if (!can_be_others()) return;
  const ApiFixture api;
  const std::string small = get("/v1/queues");
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
  CHECK(answered - before >= 20);
  over = true;
  other.join();
}

}  // namespace
}  // namespace taskd::test
