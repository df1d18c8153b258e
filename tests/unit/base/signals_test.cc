#include "daemon/base/signals.h"

#include <doctest/doctest.h>

#include <csignal>

using namespace taskd;

TEST_CASE("a signal has a name, with or without SIG, or a number") {
  CHECK(parse_signal("USR1") == SIGUSR1);
  CHECK(parse_signal("SIGTERM") == SIGTERM);
  CHECK(parse_signal("9") == SIGKILL);
  CHECK(parse_signal("64") == 64);
  for (const char* text :
       {"", "SIG", "usr1", "0", "-1", "32", "33", "65", "9x", "SIGSIGHUP", "1e1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_signal(text));
  }
  CHECK(signal_name(SIGHUP) == "SIGHUP");
  CHECK(signal_name(99) == "signal 99");
}
