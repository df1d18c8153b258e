// bench_taskd KEY SOCKET MODE …: measures a freshly started daemon over its socket. Modes:
//   submit CLIENTS SECONDS        KEY = durable submits a second from kept-alive clients, while the
//                                 workers are busy; KEY.p50, KEY.p99 in ms
//   run N · run-single N          KEY = no-op tasks a second from the submit (one POST for all, or
//                                 one POST each) until all have ended
//   drain N                       KEY = no-op tasks a second, from a full queue to all ended
//   start N FIFO STAMP            KEY.p50, KEY.p99 in ms from the POST to the task's start
//   aside N COUNT                 KEY.0.run and KEY.COUNT.run = a drain of N without and with COUNT
//                                 tasks that may not start
//   kinds N COUNT                 KEY.1.run and KEY.COUNT.run = a drain of N behind tasks that do
//   not
//                                 fit and need the same, or need COUNT different amounts
//   depth SECONDS N DEPTH…        for each DEPTH, with that many tasks queued: KEY.DEPTH.submit (64
//                                 clients), KEY.DEPTH.run (a drain of N) and KEY.DEPTH.rss_mib
// What it leaves behind in the queue is thrown away with the daemon's state.

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>

#include <charconv>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "bench/connection.h"
#include "bench/measure.h"
#include "bench/stamps.h"
#include "bench/task_body.h"
#include "daemon/base/errors.h"
#include "daemon/base/files.h"

namespace taskd::bench {
namespace {

constexpr int kBulkTasks = 1000;  // in one POST
constexpr double kWarmUpSeconds = 0.5;

// The deep queue is behind the tasks submitted during the measurement, and those are behind the
// tasks run.
constexpr int kQueuedPriority = -10;
constexpr int kSubmitPriority = 0;
constexpr int kGatePriority = 10;
constexpr int kRunPriority = 20;

// The number after `key` in JSON text; 0 if the key is missing.
long number_after(std::string_view json, std::string_view key) {
  long value = 0;
  const std::size_t at = json.find(key);
  if (at == std::string_view::npos) return 0;
  std::from_chars(json.data() + at + key.size(), json.data() + json.size(), value);
  return value;
}

std::string no_op_task(int priority) {
  return R"({"argv":["/bin/true"],"cwd":"/","priority":)" + std::to_string(priority) + "}";
}

class Daemon {
 public:
  explicit Daemon(std::string socket)
      : socket_(std::move(socket)), connection_(socket_), workers_(stat("\"total\":")) {}

  const std::string& socket() const { return socket_; }
  int workers() const { return static_cast<int>(workers_); }
  // Keeps one worker busy for good, outside the measurement.
  void set_one_aside() {
    --workers_;
    ++aside_;
  }
  bool is_busy() { return stat("\"busy\":") >= workers_ + aside_; }

  // A field of the statistics, as in the JSON: "\"queued\":".
  long stat(std::string_view key) {
    return number_after(connection_.ask("GET", "/v1/stats", "", 200), key);
  }

  // The id of the last of them.
  long submit(const std::string& task, long count) {
    long last = 0;
    for (long left = count; left > 0; left -= kBulkTasks) {
      const int n = static_cast<int>(std::min<long>(left, kBulkTasks));
      const std::string answer = connection_.ask("POST", "/v1/tasks", bulk_of(task, n), 201);
      constexpr std::string_view kId = "\"id\":";
      last = number_after(std::string_view(answer).substr(answer.rfind(kId)), kId);
    }
    return last;
  }
  long submit_one(const std::string& task) {
    return number_after(connection_.ask("POST", "/v1/tasks", task, 201), "\"id\":");
  }

  void pause(const std::string& queue) {
    connection_.ask("POST", "/v1/queues/" + queue + "/pause", "{}", 200);
  }

  // Returns once `count` tasks have succeeded in all; `last` is the id of the last of them to
  // start.
  void wait_succeeded(long last, long count) {
    const std::string target = "/v1/tasks/" + std::to_string(last) + "/wait?timeout_ms=600000";
    connection_.ask("GET", target, "", 200);
    // Tasks that started before it may end a little later.
    while (stat("\"succeeded\":") < count) pause_ms(1);
  }

  double rss_mib() {
    const std::string path = "/proc/" + std::to_string(connection_.peer_pid()) + "/status";
    const std::string status = read_file(path, 65536).value_or("");
    const std::size_t at = status.find("VmRSS:");
    if (at == std::string::npos) throw std::runtime_error("no VmRSS in " + path);
    return static_cast<double>(std::strtol(status.c_str() + at + 6, nullptr, 10)) / 1024;
  }

 private:
  std::string socket_;
  Connection connection_;
  long workers_ = 0;
  long aside_ = 0;
};

// Tasks that keep every worker busy until the gate opens. They wait for a file lock, so they end
// with this program whatever happens to it.
class Gate {
 public:
  Gate(Daemon& daemon, const std::string& name) : Gate(daemon, name, daemon.workers(), "") {}
  // `count` such tasks, with these additional fields.
  Gate(Daemon& daemon, const std::string& name, int count, const std::string& fields)
      : path_(daemon.socket() + "." + name) {
    lock_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock_ || ::flock(lock_.get(), LOCK_EX) != 0) throw_errno("lock " + path_);
    const std::string task = R"({"argv":["/usr/bin/flock","--shared","--no-fork",")" + path_ +
                             R"(","/bin/true"],"cwd":"/",)" + fields + R"("priority":)" +
                             std::to_string(kGatePriority) + "}";
    daemon.submit(task, count);
  }

  void open() { lock_.reset(); }

 private:
  std::string path_;
  UniqueFd lock_;
};

void wait_until_busy(Daemon& daemon) {
  while (!daemon.is_busy()) pause_ms(1);
}

// --- submits -----------------------------------------------------------------------------------

struct Load {
  double per_second = 0;
  std::vector<std::int64_t> durations_ns;
};

// Each client sends its next submit after the answer to the last.
Load submit_from(const std::string& socket, int clients, double seconds) {
  const std::string request = http_request("POST", "/v1/tasks", typical_task(kSubmitPriority));
  const UniqueFd poller(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller) throw_errno("epoll_create1");
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::int64_t> sent_ns(static_cast<std::size_t>(clients));
  for (std::size_t i = 0; i < sent_ns.size(); ++i) {
    connections.push_back(std::make_unique<Connection>(socket));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (::epoll_ctl(poller.get(), EPOLL_CTL_ADD, connections[i]->fd(), &event) != 0) {
      throw_errno("epoll_ctl");
    }
  }

  Load load;
  const std::int64_t start = now_ns();
  for (std::size_t i = 0; i < sent_ns.size(); ++i) {
    sent_ns[i] = now_ns();
    connections[i]->send(request);
  }
  for (int under_way = clients; under_way > 0;) {
    epoll_event events[64];
    const int ready = ::epoll_wait(poller.get(), events, 64, -1);
    if (ready < 0 && errno != EINTR) throw_errno("epoll_wait");
    for (int k = 0; k < ready; ++k) {
      const std::size_t i = events[k].data.u64;
      if (!connections[i]->receive(201)) continue;
      const std::int64_t now = now_ns();
      load.durations_ns.push_back(now - sent_ns[i]);
      if (seconds_since(start) >= seconds) {
        --under_way;
        continue;
      }
      sent_ns[i] = now;
      connections[i]->send(request);
    }
  }
  load.per_second = static_cast<double>(load.durations_ns.size()) / seconds_since(start);
  return load;
}

void submit(const std::string& key, Daemon& daemon, int clients, double seconds) {
  const Gate gate(daemon, "gate");
  wait_until_busy(daemon);
  submit_from(daemon.socket(), clients, kWarmUpSeconds);
  Load load = submit_from(daemon.socket(), clients, seconds);
  print(key, load.per_second);
  print_latency(key, load.durations_ns);
}

// --- tasks from end to end ---------------------------------------------------------------------

void run(const std::string& key, Daemon& daemon, int n, bool one_post_each) {
  const std::int64_t start = now_ns();
  long last = 0;
  if (one_post_each) {
    for (int i = 0; i < n; ++i) last = daemon.submit_one(no_op_task(kRunPriority));
  } else {
    last = daemon.submit(no_op_task(kRunPriority), n);
  }
  daemon.wait_succeeded(last, n);
  print(key, n / seconds_since(start));
}

// Opens `gate`, which holds the workers, and measures until the tasks in front have ended. The
// workers stop at the next gate, which is returned.
Gate drain(const std::string& key, Daemon& daemon, int n, Gate gate, const std::string& next_name) {
  const long last = daemon.submit(no_op_task(kRunPriority), n);
  Gate next(daemon, next_name);
  const long before = daemon.stat("\"succeeded\":");
  const std::int64_t start = now_ns();
  gate.open();
  daemon.wait_succeeded(last, before + daemon.workers() + n);
  print(key, n / seconds_since(start));
  wait_until_busy(daemon);
  return next;
}

void drain_once(const std::string& key, Daemon& daemon, int n) {
  Gate gate(daemon, "gate0");
  wait_until_busy(daemon);
  drain(key, daemon, n, std::move(gate), "gate1");
}

void start(const std::string& key, Daemon& daemon, int n, const char* fifo, const char* stamp) {
  Stamps stamps(fifo);
  const std::string task =
      std::string(R"({"argv":[")") + stamp + R"(",")" + fifo + R"("],"cwd":"/"})";
  std::vector<std::int64_t> durations;
  for (int i = 0; i < n; ++i) {
    const std::int64_t submitted = now_ns();
    daemon.submit_one(task);
    durations.push_back(stamps.next() - submitted);
    pause_ms(kIdleGapMs);
  }
  print_latency(key, durations);
}

void depth(const std::string& key, Daemon& daemon, double seconds, int n, char** depths) {
  Gate gate(daemon, "gate");
  wait_until_busy(daemon);
  for (; *depths != nullptr; ++depths) {
    const std::string here = key + "." + *depths;
    daemon.submit(no_op_task(kQueuedPriority), std::atol(*depths) - daemon.stat("\"queued\":"));
    gate = drain(here + ".run", daemon, n, std::move(gate), std::string("gate") + *depths);
    submit_from(daemon.socket(), 64, kWarmUpSeconds);
    print(here + ".submit", submit_from(daemon.socket(), 64, seconds).per_second);
    print(here + ".rss_mib", daemon.rss_mib());
  }
}

// A no-op task with these additional fields.
std::string aside_task(const std::string& fields) {
  return R"({"argv":["/bin/true"],"cwd":"/",)" + fields + "}";
}

// The same drain without and with `count` tasks that may not start: a fifth each is held, not yet
// due, waiting for another task, waiting for a key, and in a paused queue.
void aside(const std::string& key, Daemon& daemon, int n, int count) {
  Gate gate(daemon, "gate");
  wait_until_busy(daemon);
  gate = drain(key + ".0.run", daemon, n, std::move(gate), "gate-none");
  const long held = daemon.submit_one(aside_task(R"("hold":true)"));
  daemon.pause("aside");
  for (const std::string& fields :
       {std::string(R"("hold":true)"), std::string(R"("delay_ms":86400000)"),
        R"("depends_on":[)" + std::to_string(held) + "]",
        std::string(R"("key":{"name":"k","rate":{"count":1,"per_ms":86400000}},"priority":-10)"),
        std::string(R"("queue":"aside")")}) {
    daemon.submit(aside_task(fields), count / 5);
  }
  drain(key + "." + std::to_string(count) + ".run", daemon, n, std::move(gate), "gate-many");
}

// The same drain behind tasks that cannot start because all memory is in use: `count` that need the
// same amount, and `count` that need different amounts. Needs one more worker.
void kinds(const std::string& key, Daemon& daemon, int n, int count) {
  const auto needing = [](int bytes) {
    return aside_task(R"("priority":100,"resources":{"memory":)" + std::to_string(bytes) + "}");
  };
  const Gate holder(daemon, "holder", 1, R"("resources":{"memory":1099511627776},)");
  while (daemon.stat("\"busy\":") < 1) pause_ms(1);
  daemon.set_one_aside();
  Gate gate(daemon, "gate");
  wait_until_busy(daemon);
  daemon.submit(needing(1), count);
  gate = drain(key + ".1.run", daemon, n, std::move(gate), "gate-same");
  for (int i = 0; i < count; ++i) daemon.submit_one(needing(2 + i));
  drain(key + "." + std::to_string(count) + ".run", daemon, n, std::move(gate), "gate-kinds");
}

bool dispatch(int argc, char** argv) {
  if (argc < 5) return false;
  const std::string key = argv[1];
  const std::string_view mode = argv[3];
  Daemon daemon(argv[2]);
  if (mode == "submit" && argc == 6) {
    submit(key, daemon, std::atoi(argv[4]), std::atof(argv[5]));
  } else if (mode == "run" || mode == "run-single") {
    run(key, daemon, std::atoi(argv[4]), mode == "run-single");
  } else if (mode == "drain") {
    drain_once(key, daemon, std::atoi(argv[4]));
  } else if (mode == "start" && argc == 7) {
    start(key, daemon, std::atoi(argv[4]), argv[5], argv[6]);
  } else if (mode == "aside" && argc == 6) {
    aside(key, daemon, std::atoi(argv[4]), std::atoi(argv[5]));
  } else if (mode == "kinds" && argc == 6) {
    kinds(key, daemon, std::atoi(argv[4]), std::atoi(argv[5]));
  } else if (mode == "depth" && argc > 6) {
    depth(key, daemon, std::atof(argv[4]), std::atoi(argv[5]), argv + 6);
  } else {
    return false;
  }
  return true;
}

}  // namespace
}  // namespace taskd::bench

int main(int argc, char** argv) {
  try {
    if (taskd::bench::dispatch(argc, argv)) return 0;
    std::fputs(
        "usage: bench_taskd KEY SOCKET submit|run|run-single|drain|start|aside|kinds|depth …\n",
        stderr);
    return 64;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_taskd: %s\n", e.what());
    return 1;
  }
}
