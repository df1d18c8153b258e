#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("logs keeps the two streams apart") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--shell", "echo out; echo err >&2"});
  daemon.wait(id);
  const RunResult both = daemon.ctl({"logs", id});
  CHECK(both.out == "out\n");
  CHECK(both.err == "err\n");
  CHECK(daemon.ctl({"logs", id, "--stderr"}).out.empty());
  CHECK(daemon.ctl({"logs", id, "--stdout"}).err.empty());
}

TEST_CASE("logs keeps the order in which the streams were written") {
  const TestDaemon daemon;
  // Each waits until the one before is kept.
  const std::string id =
      daemon.submit({"--shell",
                     "f() { while [ $(taskctl logs $TASKD_TASK_ID --$1 2>&1 | wc -l) -lt $2 ]; do "
                     "sleep 0.02; done; }\n"
                     "PATH=" TASKD_BINARY_DIR ":$PATH\n"
                     "echo one >&2; f stderr 1; echo two; f stdout 1; echo three; f stdout 2\n"
                     "echo four >&2; f stderr 2; echo five; f stdout 3; echo six >&2"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  const std::string all = "one\ntwo\nthree\nfour\nfive\nsix\n";
  const RunResult merged = daemon.ctl({"logs", "--merge", id});
  CHECK(merged.out == all);
  CHECK(merged.err.empty());
  const std::string file = daemon.dir() / "both";
  CHECK(daemon.ctl({"logs", id}, {.output_file = file}).exit_code == 0);
  CHECK(read_text(file) == all);
  CHECK(daemon.ctl({"logs", id}).out == "two\nthree\nfive\n");
  CHECK(daemon.ctl({"logs", "--merge", "--stderr", id}).exit_code == 64);
}

TEST_CASE(
    "many changes between the streams lose no byte of either, whatever is kept of the order") {
  const TestDaemon daemon({.config = "output_cap = \"256KiB\"\n"});
  const std::string id = daemon.submit(
      {"--shell", "i=0; while [ $i -lt 3000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  std::string out, err;
  for (int i = 0; i < 3000; ++i) {
    out += "o" + std::to_string(i) + "\n";
    err += "e" + std::to_string(i) + "\n";
  }
  const RunResult both = daemon.ctl({"logs", id});
  CHECK(both.out == out);
  CHECK(both.err == err);
  CHECK(daemon.ctl({"logs", "--merge", id}).out.size() == out.size() + err.size());

  // Over its cap a stream loses its middle; the merged output has each piece and the marker once.
  const std::string large =
      daemon.submit({"--shell", "echo first >&2; seq 1 100000; echo last >&2; seq 100001 100100"});
  daemon.wait(large);
  const RunResult capped = daemon.ctl({"logs", large});
  CHECK(capped.out == daemon.ctl({"logs", large, "--stdout"}).out);
  CHECK(capped.err.starts_with("first\nlast\ntaskctl: "));  // and how much was dropped
}

TEST_CASE("a task that writes to one stream leaves no record of an order") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--shell", "seq 1 1000"});
  daemon.wait(id);
  CHECK(run({"find", daemon.state_dir(), "-name", "order*"}).out.empty());
}

TEST_CASE("on a terminal a line that was rewritten shows its last state, also in the last words") {
  const TestDaemon daemon;
  const std::string id = daemon.submit(
      {"--shell", "printf 'start\\n  1 %%\\r 50 %%\\r100 %%\\ndone\\n' | tee /dev/stderr; exit 1"});
  daemon.wait(id);
  Terminal terminal(24, 80);
  RunOptions options;
  options.output_file = terminal.path();
  options.env["TERM"] = "xterm";
  CHECK(daemon.ctl({"logs", "--stdout", id}, options).exit_code == 0);
  CHECK(terminal.shown() == "start\n100 %\ndone\n");
  CHECK(contains(daemon.ctl({"show", id}).out, "    100 %\n"));
  CHECK(daemon.ctl({"logs", "--stdout", id}).out == "start\n  1 %\r 50 %\r100 %\ndone\n");
}

TEST_CASE("each attempt keeps its own output, and the latest is shown first") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--max-attempts", "2", "--retry-delay", "1ms", "--shell",
                                        "echo try $TASKD_ATTEMPT; exit 1"});
  daemon.wait(id);
  CHECK(daemon.ctl({"logs", id}).out == "try 2\n");
  CHECK(daemon.ctl({"logs", id, "--attempt", "1"}).out == "try 1\n");
  CHECK(daemon.ctl({"logs", id, "--attempt", "3"}).exit_code == 66);
}

TEST_CASE("logs --follow shows output as it comes and ends with the attempt") {
  const TestDaemon daemon;
  const std::string gate = daemon.dir() / "gate";
  REQUIRE(run({"mkfifo", gate}).exit_code == 0);
  const std::string id = daemon.submit({"--shell", "echo before; cat " + gate + "; echo after"});
  RunOptions options;
  options.env["TASKD_SOCKET"] = daemon.socket();
  Child follower({taskctl_path(), "logs", "--follow", id}, options);
  follower.wait_for_output("before");
  write_text(gate, "middle\n");
  const RunResult result = follower.wait();
  CHECK(result.exit_code == 0);
  CHECK(result.out == "before\nmiddle\nafter\n");
}

TEST_CASE("logs --follow ends when its reader goes away, though nothing more is written") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--shell", "echo ready; sleep 600"});
  RunOptions options;
  options.env["TASKD_SOCKET"] = daemon.socket();
  const RunResult result = run(
      {"sh", "-c", "{ " + taskctl_path() + " logs -f " + id + "; echo $? >&2; } | grep -m 1 ready"},
      options);
  CHECK(result.out == "ready\n");
  CHECK(result.err == "141\n");
}

TEST_CASE("output over the cap keeps head and tail with a marker between") {
  const TestDaemon daemon({.workers = 2, .config = "output_cap = \"64KiB\"\n"});
  const std::string id = daemon.submit({"--shell", "seq 1 100000"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  const std::string out = daemon.ctl({"logs", id}).out;
  CHECK(out.starts_with("1\n2\n3\n"));
  CHECK(out.ends_with("99999\n100000\n"));
  CHECK(out.size() < 66 * 1024);
  CHECK(out.size() > 40 * 1024);
  CHECK(out.find("dropped") != std::string::npos);
}

TEST_CASE("how much output was dropped is told beside the output, too") {
  const TestDaemon daemon({.workers = 2, .config = "output_cap = \"64KiB\"\n"});
  const std::string id = daemon.submit({"--shell", "seq 1 100000; seq 1 50000 >&2"});
  daemon.wait(id);
  const RunResult logs = daemon.ctl({"logs", id});
  const auto attempt = daemon.show(id).at("attempts").at(0);
  const auto dropped = [&](const char* stream, long all, const std::string& kept) {
    const long bytes = attempt.at(std::string(stream) + "_dropped_bytes").get<long>();
    const std::string number = std::to_string(bytes);
    const std::string marker = "\n[taskd: " + number + " bytes of output dropped]\n";
    CHECK(contains(kept, marker));
    // The client's own words are among those of stderr.
    const std::size_t said = stream == std::string("stderr") ? kept.find("taskctl: ") : kept.size();
    CHECK(bytes == all - static_cast<long>(said - marker.size()));
    CHECK(contains(logs.err, "taskctl: " + number + " bytes of task " + id + "'s " + stream));
  };
  dropped("stdout", 588'895, logs.out);
  dropped("stderr", 288'894, logs.err);
  CHECK(contains(daemon.ctl({"show", id}).out, "of stdout dropped"));
  const RunResult followed = daemon.ctl({"logs", "--follow", "--stdout", id});
  CHECK(contains(followed.err, " bytes of task " + id + "'s stdout"));
  const std::string small = daemon.submit({"--shell", "echo small"});
  daemon.wait(small);
  CHECK(daemon.ctl({"logs", small}).err.empty());
  CHECK(daemon.show(small).at("attempts").at(0).at("stdout_dropped_bytes") == 0);
}

TEST_CASE("logs of a large output comes whole") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--shell", "head -c 20000000 /dev/zero | tr '\\0' x"});
  daemon.wait(id);
  CHECK(daemon.ctl({"logs", id}).out.size() == 20'000'000);
  CHECK(daemon.ctl({"logs", id, "--tail", "10"}).out == std::string(10, 'x'));
}
