// Measures whole processes, without knowing what they talk to:
//   bench_processes whole KEY N CMD ARG…       one CMD after another; KEY.p50, KEY.p99 in ms from
//                                              its start to its end
//   bench_processes start KEY N FIFO CMD ARG…  CMD submits `bench_stamp FIFO`; KEY.p50, KEY.p99 in
//   ms
//                                              from CMD's start to the stamp's first instruction
//   bench_processes spawn KEY N THREADS CMD…   KEY = processes a second, posix_spawn and wait

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "bench/measure.h"
#include "bench/stamps.h"
#include "daemon/base/errors.h"

namespace taskd::bench {
namespace {

// Runs the command to its end and discards its output.
void run_command(char** command) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, command[0], &actions, nullptr, command, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw std::system_error(error, std::generic_category(), std::string("start ") + command[0]);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("waitpid");
  }
  if (status != 0) throw std::runtime_error(std::string(command[0]) + " failed");
}

void whole(const std::string& key, int n, char** command) {
  std::vector<std::int64_t> durations;
  for (int i = 0; i < n; ++i) {
    const std::int64_t start = now_ns();
    run_command(command);
    durations.push_back(now_ns() - start);
  }
  print_latency(key, durations);
}

void start(const std::string& key, int n, const char* fifo, char** command) {
  Stamps stamps(fifo);
  std::vector<std::int64_t> durations;
  for (int i = 0; i < n; ++i) {
    const std::int64_t submitted = now_ns();
    run_command(command);
    durations.push_back(stamps.next() - submitted);
    pause_ms(kIdleGapMs);
  }
  print_latency(key, durations);
}

// A failure in any loop ends the program.
void spawn(const std::string& key, int n, int threads, char** command) {
  std::atomic<int> left = n;
  const std::int64_t begin = now_ns();
  std::vector<std::thread> loops;
  for (int i = 0; i < threads; ++i) {
    loops.emplace_back([&] {
      while (left.fetch_sub(1) > 0) run_command(command);
    });
  }
  for (std::thread& loop : loops) loop.join();
  print(key, n / seconds_since(begin));
}

bool run(int argc, char** argv) {
  if (argc < 5) return false;
  const std::string_view mode = argv[1];
  const std::string key = argv[2];
  const int n = std::atoi(argv[3]);
  if (mode == "whole") {
    whole(key, n, argv + 4);
  } else if (mode == "start" && argc > 5) {
    start(key, n, argv[4], argv + 5);
  } else if (mode == "spawn" && argc > 5) {
    spawn(key, n, std::atoi(argv[4]), argv + 5);
  } else {
    return false;
  }
  return true;
}

}  // namespace
}  // namespace taskd::bench

int main(int argc, char** argv) {
  try {
    if (taskd::bench::run(argc, argv)) return 0;
    std::fputs("usage: bench_processes whole|start|spawn KEY N … CMD ARG…\n", stderr);
    return 64;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_processes: %s\n", e.what());
    return 1;
  }
}
