// Requests of other users, which only root can make: the kernel notes who connects.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {

inline bool can_be_others() {
  if (::geteuid() == 0) return true;
  MESSAGE("skipped: only root can ask as another user");
  return false;
}

// By a thread of its own, since the raw calls change a thread alone, unlike the C library's.
inline RawClient connect_as(const ApiFixture& api, std::uint32_t uid) {
  std::optional<RawClient> client;
  std::thread([&] {
    REQUIRE(::syscall(SYS_setresgid, uid, uid, uid) == 0);
    REQUIRE(::syscall(SYS_setresuid, uid, uid, uid) == 0);
    client.emplace(api.connect());
  }).join();
  return *std::move(client);
}

inline Response ask_as(const ApiFixture& api, std::uint32_t uid, const std::string& request) {
  RawClient client = connect_as(api, uid);
  CHECK(client.send(request));
  return client.receive();
}

}  // namespace taskd::test
