// bench_attack MODE SOCKET …: what one user notices of what another does to the server. Modes:
//   victim SOCKET KEY SECONDS   a user of moderate wishes: one connection, a submit and a healthz
//   in
//                               turn. Prints KEY.submit.p50, .p99, .max and the same of KEY.healthz
//                               in ms, KEY.failed, how often it lost its connection or was refused,
//                               and KEY.writer.p999 and .max: the processor time in ms that
//                               transactions have taken since the start (0 of the dummy)
//   attack SOCKET KIND          loads the server until it is killed; prints "ready" first
//   dummy SOCKET                a server that reads whole requests and answers them alike, and that
//                               syncs a small file for each small submit: what the same load costs
//                               where nothing is done about it
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>

#include "bench/connection.h"
#include "bench/measure.h"
#include "daemon/base/errors.h"

namespace taskd::bench {
namespace {

constexpr std::size_t kMiB = 1 << 20;
constexpr int kSparingMs = 200;

// --- the victim --------------------------------------------------------------------------------
class Victim {
 public:
  explicit Victim(std::string socket) : socket_(std::move(socket)) {}

  void ask(std::string_view method, std::string_view target, std::string_view body, int status,
           std::vector<std::int64_t>& durations_ns) {
    const std::int64_t start = now_ns();
    try {
      if (!connection_) connection_ = std::make_unique<Connection>(socket_);
      connection_->ask(method, target, body, status);
    } catch (const std::exception&) {
      connection_.reset();
      ++failed_;
    }
    durations_ns.push_back(now_ns() - start);
  }
  int failed() const { return failed_; }

 private:
  const std::string socket_;
  std::unique_ptr<Connection> connection_;
  int failed_ = 0;
};

// The number after `key` in JSON text; 0 if the key is missing.
double number_after(std::string_view json, std::string_view key) {
  const std::size_t at = json.find(key);
  return at == json.npos ? 0 : std::strtod(json.data() + at + key.size(), nullptr);
}

void print_writer(const std::string& socket, const std::string& key) {
  const std::string stats = Connection(socket).ask("GET", "/v1/stats", "", 200);
  const std::string_view writer = std::string_view(stats).substr(
      std::min(stats.find("\"cpu_us\""), stats.size()));
  print(key + ".writer.p999", number_after(writer, "\"p999\":") / 1e3);
  print(key + ".writer.max", number_after(writer, "\"max\":") / 1e3);
}

void measure(const std::string& socket, const std::string& key, double seconds) {
  Victim victim(socket);
  std::vector<std::int64_t> submits;
  std::vector<std::int64_t> healthz;
  const std::int64_t start = now_ns();
  while (seconds_since(start) < seconds) {
    victim.ask("POST", "/v1/tasks", R"({"argv":["/bin/true"],"cwd":"/","delay_ms":86400000})", 201,
               submits);
    victim.ask("GET", "/v1/healthz", "", 200, healthz);
    pause_ms(2);
  }
  print_latency(key + ".submit", submits);
  print(key + ".submit.max", percentile_ms(submits, 1));
  print_latency(key + ".healthz", healthz);
  print(key + ".healthz.max", percentile_ms(healthz, 1));
  print(key + ".failed", victim.failed());
  print_writer(socket, key);
}

// --- the attackers -----------------------------------------------------------------------------
// Does this again and again, whatever comes of it.
using Act = std::function<void(Connection&)>;
void act_for_ever(const std::string& socket, const Act& act) {
  for (;;) {
    try {
      Connection connection(socket);
      for (;;) act(connection);
    } catch (const std::exception&) {
      pause_ms(5);  // refused, or cut off
    }
  }
}

void load(const std::string& socket, int clients, const Act& act) {
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i) {
    threads.emplace_back([=] { act_for_ever(socket, act); });
  }
  std::puts("ready");
  std::fflush(stdout);
  for (std::thread& thread : threads) thread.join();
}

// `pause` spares the disk if each request is stored.
Act asking(const std::string& method, const std::string& target, const std::string& body,
           int status = 200, int pause = 0) {
  return [request = http_request(method, target, body), status, pause](Connection& connection) {
    connection.send(request);
    while (!connection.receive(status)) {
    }
    if (pause > 0) pause_ms(pause);
  };
}

// Holds connections that have sent this and read no answer; reopens those that are closed.
void hold(const std::string& socket, int clients, const std::string& said) {
  std::vector<UniqueFd> fds(static_cast<std::size_t>(clients));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  bool ready = false;
  for (;;) {
    for (UniqueFd& fd : fds) {
      pollfd closed{fd.get(), POLLRDHUP, 0};
      if (fd && ::poll(&closed, 1, 0) == 0) continue;
      fd.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) continue;
      std::string_view left = said;
      while (!left.empty()) {
        const ssize_t n = ::send(fd.get(), left.data(), left.size(), MSG_NOSIGNAL);
        if (n <= 0) break;
        left.remove_prefix(static_cast<std::size_t>(n));
      }
    }
    if (!std::exchange(ready, true)) std::puts("ready"), std::fflush(stdout);
    pause_ms(10);
  }
}

std::string fat_task(std::size_t bytes) {
  std::string task = R"({"argv":["true")";
  while (task.size() < bytes) task += ",\"" + std::string(800, 'x') + '"';
  return task + R"(],"hold":true,"cwd":"/"})";
}

std::string group_of(int steps) {
  std::string body = R"({"group":[{"argv":["true"],"hold":true,"cwd":"/"})";
  for (int i = 1; i < steps; ++i) body += R"(,{"argv":["true"],"hold":true,"cwd":"/"})";
  return body + "]";
}

void prepare(Connection& connection, std::string_view target, const std::string& body,
             std::string_view method = "POST") {
  connection.ask(method, target, body, 201);
}

// The ids 1 to `count`, since the daemon is new.
std::string ids_up_to(int count) {
  std::string ids = "1";
  for (int i = 2; i <= count; ++i) ids += "," + std::to_string(i);
  return ids;
}

void attack(const std::string& socket, const std::string& kind) {
  Connection connection(socket);
  if (kind == "none") return hold(socket, 1, "GET / ");
  if (kind == "half-sent") {
    return hold(socket, 1000,
                "POST /v1/tasks HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
                "Content-Length: 1048576\r\n\r\n" +
                    std::string(kMiB - 1, ' '));
  }
  if (kind == "large-bodies") {
    std::string body = R"({"x":[{})";
    while (body.size() < kMiB - 8) body += ",{}";
    return load(socket, 32, asking("POST", "/v1/tasks", body + "]}"));
  }
  if (kind == "slow-readers") {
    for (int i = 0; i < 20; ++i) prepare(connection, "/v1/tasks", fat_task(40'000));
    return hold(socket, 200, http_request("GET", "/v1/tasks?limit=20", ""));
  }
  if (kind == "workflows") {
    prepare(connection, "/v1/workflows", group_of(3000) + "}");
    return load(socket, 40, asking("GET", "/v1/workflows/1", ""));
  }
  if (kind == "dry-runs" || kind == "verbs") {
    for (int i = 0; i < 151; ++i) prepare(connection, "/v1/tasks", fat_task(800'000));
    const std::string ids = R"("ids":[)" + ids_up_to(151) + "]}";
    if (kind == "dry-runs") {
      return load(socket, 24, asking("POST", "/v1/tasks:cancel", R"({"dry_run":true,)" + ids));
    }
    return load(socket, 24, [ids](Connection& own) {
      own.ask("POST", "/v1/tasks:release", "{" + ids, 200);
      own.ask("POST", "/v1/tasks:hold", "{" + ids, 200);
    });
  }
  if (kind == "likes") {
    prepare(connection, "/v1/tasks", fat_task(800'000));
    std::string body = R"({"tasks":[{"like":1,"hold":true})";
    for (int i = 1; i < 35; ++i) body += R"(,{"like":1,"hold":true})";
    return load(socket, 4, asking("POST", "/v1/tasks", body + "]}", 201, kSparingMs));
  }
  if (kind == "arrays") {
    std::string body = fat_task(800'000);
    body.back() = ',';
    body += R"("array":{"first":1,"last":400}})";
    return load(socket, 4, asking("POST", "/v1/tasks", body, 201, kSparingMs));
  }
  if (kind == "groups") {
    const std::string body = group_of(9999) + R"(,"then":{"argv":["true"],"cwd":"/"}})";
    return load(socket, 1, [body](Connection& own) {
      const std::string made = own.ask("POST", "/v1/workflows", body, 201);
      const auto id = static_cast<long>(number_after(made, "\"id\":"));
      own.ask("POST", "/v1/workflows/" + std::to_string(id) + "/cancel", "{}", 200);
    });
  }
  if (kind == "schedules") {
    for (int i = 0; i < 100; ++i) {
      const std::string name = "/v1/schedules/s" + std::to_string(i);
      const std::string task = fat_task(400'000);
      const std::string spec = task.substr(0, task.find(R"(,"hold")")) + "}";
      prepare(connection, name, R"({"every_ms":86400000,"task":)" + spec + "}", "PUT");
    }
    return load(socket, 8, asking("GET", "/v1/schedules", ""));
  }
  if (kind == "connections") return hold(socket, 3000, "");
  throw std::invalid_argument("no such attack: " + kind);
}

// --- the dummy ---------------------------------------------------------------------------------
std::size_t length_in(std::string_view head) {
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t at = head.find(kLength);
  return at == head.npos ? 0 : std::strtoul(head.data() + at + kLength.size(), nullptr, 10);
}

void answer_dummy(UniqueFd fd, int file) {
  constexpr std::size_t kSmallBytes = 4096;
  static const std::string filler(kSmallBytes, 'x');
  std::vector<char> buffer(64 * 1024);
  std::string input;
  for (;;) {
    const std::size_t end = input.find("\r\n\r\n");
    if (end != input.npos) {
      const std::string head = input.substr(0, end);
      std::size_t body = length_in(head);
      std::size_t there = std::min(body, input.size() - end - 4);
      input.erase(0, end + 4 + there);
      for (std::size_t left = body - there; left > 0;) {
        const ssize_t n = ::recv(fd.get(), buffer.data(), std::min(left, buffer.size()), 0);
        if (n <= 0) return;
        left -= static_cast<std::size_t>(n);
      }
      const bool is_submit = head.starts_with("POST /v1/tasks ") && body < kSmallBytes;
      if (is_submit) {
        if (::pwrite(file, filler.data(), filler.size(), 0) < 0 || ::fdatasync(file) != 0) return;
      }
      const bool is_made = head.starts_with("POST /v1/tasks ") ||
                           head.starts_with("POST /v1/workflows ") || head.starts_with("PUT");
      const std::string answer =
          std::string("HTTP/1.1 ") +
          (is_made ? "201 Created" : "200 OK") +
          "\r\nContent-Length: 9\r\n\r\n{\"id\":1}\n";
      if (::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;
      continue;
    }
    const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (n <= 0) return;
    input.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

[[noreturn]] void serve_dummy(const std::string& socket) {
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(socket.c_str(), 0666) != 0 || ::listen(listener.get(), 4096) != 0) {
    throw_errno("listen on " + socket);
  }
  const UniqueFd file(::open((socket + ".data").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  for (;;) {
    UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) throw_errno("accept");
    std::thread([taken = fd.release(), &file] {
      answer_dummy(UniqueFd(taken), file.get());
    }).detach();
  }
}

int run(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() == 4 && args[0] == "victim") {
    measure(args[1], args[2], std::stod(args[3]));
  } else if (args.size() == 3 && args[0] == "attack") {
    attack(args[1], args[2]);
  } else if (args.size() == 2 && args[0] == "dummy") {
    serve_dummy(args[1]);
  } else {
    std::fputs(
        "usage: bench_attack victim SOCKET KEY SECONDS | attack SOCKET KIND | dummy SOCKET\n",
        stderr);
    return 64;
  }
  return 0;
}

}  // namespace
}  // namespace taskd::bench

int main(int argc, char** argv) {
  try {
    return taskd::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_attack: %s\n", error.what());
    return 70;
  }
}
