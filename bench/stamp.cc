// bench_stamp FIFO: writes CLOCK_MONOTONIC, as 8 bytes of nanoseconds, into FIFO. Run as a task, it
// records when the task's first instruction ran.

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  timespec t{};
  if (argc != 2 || ::clock_gettime(CLOCK_MONOTONIC, &t) != 0) return 1;
  const long long ns = t.tv_sec * 1'000'000'000LL + t.tv_nsec;
  const int fd = ::open(argv[1], O_WRONLY | O_CLOEXEC);
  return fd >= 0 && ::write(fd, &ns, sizeof ns) == sizeof ns ? 0 : 1;
}
