// Kills the daemon, and separately the shims, again and again under load, and then asks three
// witnesses whether the promise held: what was acknowledged, what the store says, and what the jobs
// wrote themselves.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

// How many kills; a longer campaign sets TASKD_KILLS.
int kills() {
  const char* text = std::getenv("TASKD_KILLS");
  return text != nullptr ? std::atoi(text) : 50;
}

struct Life {
  long long start_ns = 0;
  long long end_ns = 0;  // 0: it wrote no end
  int code = -1;
};
using Lives = std::map<std::pair<int, int>, Life>;  // by (task, attempt)

// A job that writes its start and its end by one append each, with the exit code it is going to
// have, on the clock of this boot.
std::string job(const std::string& effects, int work_ms, int code) {
  char sleep_s[16];
  std::snprintf(sleep_s, sizeof sleep_s, "%d.%03d", work_ms / 1000, work_ms % 1000);
  return "now() { read up idle < /proc/uptime; echo $up; }; echo S $TASKD_TASK_ID $TASKD_ATTEMPT "
         "$(now) >> " +
         effects + "; sleep " + sleep_s + "; echo E $TASKD_TASK_ID $TASKD_ATTEMPT $(now) " +
         std::to_string(code) + " >> " + effects + "; exit " + std::to_string(code);
}

long long centiseconds(const std::string& uptime) {
  std::string digits;
  for (const char c : uptime) {
    if (c != '.') digits += c;
  }
  return std::stoll(digits);
}

Lives read_lives(const std::string& path) {
  Lives lives;
  std::ifstream file(path);
  std::string kind;
  std::string when;
  int task = 0;
  int attempt = 0;
  while (file >> kind >> task >> attempt >> when) {
    Life& life = lives[{task, attempt}];
    if (kind == "S") {
      CHECK_MESSAGE(life.start_ns == 0, "task ", task, " attempt ", attempt, " began twice");
      life.start_ns = centiseconds(when);
    } else {
      life.end_ns = centiseconds(when);
      file >> life.code;
    }
  }
  return lives;
}

// An attempt that wrote its end must have done so before the next attempt of its task began. One
// that wrote none was killed; then the daemon proved that before it went on.
void check_no_overlap(const Lives& lives) {
  for (auto it = lives.begin(); it != lives.end(); ++it) {
    const auto next = std::next(it);
    if (next == lives.end() || next->first.first != it->first.first) continue;
    CHECK_MESSAGE(it->second.end_ns <= next->second.start_ns, "task ", it->first.first,
                  " had two live attempts");
  }
}

struct Acknowledged {
  std::string id;
  int code;
};

// Submits until told to stop, through kills and restarts; every id it returns was acknowledged.
std::vector<Acknowledged> submit_until(const TestDaemon& daemon, const std::atomic<bool>& stop,
                                       const std::vector<std::string>& flags,
                                       std::atomic<int>& count) {
  std::vector<Acknowledged> acknowledged;
  for (int i = 0; !stop.load() && i < 100'000; ++i) {
    const int code = i % 5;
    std::vector<std::string> args = {"submit"};
    args.insert(args.end(), flags.begin(), flags.end());
    args.insert(args.end(), {"--shell", job(daemon.dir() / "effects", (i * 7) % 90, code)});
    RunResult result = daemon.ctl(args);
    if (result.exit_code != 0) continue;  // the daemon was just killed: no answer, unknown
    result.out.pop_back();
    acknowledged.push_back({result.out, code});
    ++count;
  }
  return acknowledged;
}

std::string open_config() {
  return "[queues.default]\ncapacity = 1000000\n";
}

// Pids of the shims of this daemon's attempts, read from the lock files they hold.
std::vector<pid_t> shim_pids(const TestDaemon& daemon) {
  std::vector<pid_t> pids;
  std::error_code ended;  // folders come and go while we look
  for (std::filesystem::recursive_directory_iterator it(daemon.state_dir() + "/attempts", ended),
       end;
       !ended && it != end; it.increment(ended)) {
    if (it->path().filename() != "lock") continue;
    int pid = 0;
    const std::string lock = read_text(it->path());
    const std::size_t line = lock.find("\nshim ");
    if (line == std::string::npos || std::sscanf(lock.c_str() + line, "\nshim %d", &pid) != 1) {
      continue;
    }
    // Only a live shim of ours: its command line names the program.
    if (pid > 1 && read_text("/proc/" + std::to_string(pid) + "/comm") == "taskd-shim\n") {
      pids.push_back(pid);
    }
  }
  return pids;
}

}  // namespace

TEST_CASE("the daemon is killed again and again under load and every acknowledged task ends once") {
  TestDaemon daemon({.workers = 4, .config = open_config()});
  // One attempt outlives every daemon but the last; without it a slow machine may adopt none.
  const std::string release = daemon.dir() / "release";
  const std::string survivor =
      daemon.submit({"--shell", "touch " + (daemon.dir() / "begun") + "; until [ -e " + release +
                                    " ]; do sleep 0.1; done"});
  wait_for_file(daemon.dir() / "begun");
  std::atomic<bool> stop{false};
  std::vector<Acknowledged> acknowledged;
  std::atomic<int> count{0};
  std::thread submitter([&] { acknowledged = submit_until(daemon, stop, {}, count); });
  std::mt19937 random(20260301);
  int adopted = 0;
  for (int i = 0; i < kills(); ++i) {
    // Every other daemon has acknowledged something, so that there is a load on a slow machine too.
    const int before = count;
    while (i % 2 == 0 && count == before) ::usleep(1000);
    // A random moment of load is the point here; nothing is expected of its length.
    ::usleep(std::uniform_int_distribution<useconds_t>(1000, 80'000)(random));
    daemon.restart_after_kill9();
  }
  stop.store(true);
  submitter.join();
  std::ofstream(release).close();
  REQUIRE(daemon.ctl({"wait", "--all", "--quiet", "--timeout", "50s"}).exit_code != 75);
  CHECK(daemon.show(survivor).at("state") == "succeeded");
  CHECK(daemon.show(survivor).at("attempt") == 1);

  const Lives lives = read_lives(daemon.dir() / "effects");
  check_no_overlap(lives);
  REQUIRE(acknowledged.size() > 20);
  for (const Acknowledged& task : acknowledged) {
    const auto shown = daemon.show(task.id);
    CAPTURE(task.id);
    CHECK(shown.at("state") == (task.code == 0 ? "succeeded" : "failed"));
    CHECK(shown.at("exit_code") == task.code);
    // One start, one true end. A kill between a claim and its lock loses the attempt, since nothing
    // proves that it never began; but it never did.
    const int id = std::stoi(task.id);
    const int attempt = shown.at("attempt");
    CHECK(shown.at("lost") == attempt - 1);
    for (int lost = 1; lost < attempt; ++lost) CHECK_FALSE(lives.contains({id, lost}));
    REQUIRE(lives.contains({id, attempt}));
    CHECK(lives.at({id, attempt}).code == task.code);
  }
  std::istringstream log(daemon.log());
  for (std::string line; std::getline(log, line);) {
    if (line.find("attempt adopted") != std::string::npos) ++adopted;
  }
  MESSAGE(kills(), " kills, ", acknowledged.size(), " tasks acknowledged, ", adopted, " adoptions");
  CHECK(adopted >= kills());
}

TEST_CASE("shims are killed again and again and no attempt overlaps the next of its task") {
  const TestDaemon daemon({.workers = 4, .config = open_config()});
  std::atomic<bool> stop{false};
  std::vector<Acknowledged> acknowledged;
  std::atomic<int> count{0};
  std::thread submitter([&] {
    acknowledged = submit_until(daemon, stop, {"--max-lost", "100"}, count);
  });
  int killed = 0;
  for (int looks = 0; killed < kills() && looks < 100 * kills(); ++looks) {
    ::usleep(20'000);
    for (const pid_t pid : shim_pids(daemon)) {
      if (killed < kills() && ::kill(pid, SIGKILL) == 0) ++killed;
      break;
    }
  }
  stop.store(true);
  submitter.join();
  CHECK(killed == kills());
  REQUIRE(daemon.ctl({"wait", "--all", "--quiet", "--timeout", "50s"}).exit_code != 75);
  const Lives lives = read_lives(daemon.dir() / "effects");
  check_no_overlap(lives);
  int lost = 0;
  for (const Acknowledged& task : acknowledged) {
    const auto shown = daemon.show(task.id);
    CAPTURE(task.id);
    CHECK(shown.at("exit_code") == task.code);
    lost += shown.at("lost").get<int>();
  }
  MESSAGE(killed, " shims killed, ", acknowledged.size(), " tasks acknowledged, ", lost,
          " attempts lost");
  CHECK(lost > 0);
}

TEST_CASE(
    "a task that is lost too often is poison, and one that must not run twice fails as lost") {
  const TestDaemon daemon({.workers = 1});
  // The job kills its own supervisor.
  const std::string poison =
      daemon.submit({"--max-lost", "3", "--shell", "kill -9 $PPID; sleep 100"});
  const auto task = daemon.wait(poison);
  CHECK(task.at("state") == "failed");
  CHECK(task.at("reason") == "poison");
  CHECK(task.at("attempts").size() == 4);
  const std::string once =
      daemon.submit({"--on-lost", "fail", "--shell", "kill -9 $PPID; sleep 100"});
  const auto lost = daemon.wait(once);
  CHECK(lost.at("reason") == "lost");
  CHECK(lost.at("attempts").size() == 1);
  CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
}
