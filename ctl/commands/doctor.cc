#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ctl/base/count_text.h"
#include "ctl/base/users.h"
#include "ctl/commands/boot_units.h"
#include "ctl/commands/verbs.h"
#include "ctl/options/selector.h"
#include "ctl/options/when.h"
#include "ctl/view/hook_view.h"
#include "ctl/view/stats.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/limits/demand.h"
#include "daemon/task/state_machine.h"
#include "daemon/version.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kDoctorHelp{
    .usage = "[OPTIONS]",
    .paragraph =
        R"(Checks the daemon from outside: its socket and folder, whether it answers, whether the
versions agree, whether systemd starts it at boot, whether its disk has room, whether
queues are full or stuck, whether tasks need more than it has, whether hooks fail, what
failed lately, and, for an administrator, whether the database is damaged. Every line
says ok, warn or fail, and what to do. A daemon that is silent for 5 seconds has
failed. Exits 1 if something failed.)",
    .examples = R"(  taskctl doctor
  taskctl doctor --json | jq '.checks[] | select(.result != "ok")'
)"};

constexpr std::int64_t kRecentMs = 24LL * 3600 * 1000;
constexpr std::size_t kManyFailures = 1000;  // counted at most
constexpr std::size_t kManyQueued = 1000;    // examined at most, oldest first
constexpr int kAnswerTimeoutMs = 5000;       // for each answer
constexpr int kCheckTimeoutMs = 120'000;     // for the check of the whole database
constexpr std::int64_t kLittleBytes = 512LL << 20;

struct Check {
  std::string_view result;  // ok, warn or fail
  std::string name;
  std::string finding;
  std::string remedy;
};

class Doctor {
 public:
  Doctor(Context& context, Client client) : context_(context), client_(std::move(client)) {}

  std::vector<Check> examine() {
    if (!look_at_socket()) return std::move(checks_);
    look_at_folder();
    try {
      look_at_daemon();
    } catch (const Failure& failure) {
      add("fail", "daemon", failure.what(),
          "look at its log: journalctl -u taskctl, or where it was started");
    }
    return std::move(checks_);
  }

 private:
  void add(std::string_view result, std::string name, std::string finding,
           std::string remedy = "") {
    checks_.push_back({result, std::move(name), std::move(finding), std::move(remedy)});
  }
  std::string shown_path() const { return escape_for_humans(client_.socket_path()); }

  bool look_at_socket() {
    struct stat info;
    if (::stat(client_.socket_path().c_str(), &info) != 0) {
      const int error = errno;
      add("fail", "socket", shown_path() + ": " + std::strerror(error),
          error == EACCES ? how_to_be_let_in(client_.socket_path())
                          : "start the daemon, or name its socket with --socket or TASKD_SOCKET");
      return false;
    }
    if (!S_ISSOCK(info.st_mode)) {
      add("fail", "socket", shown_path() + " is not a socket", "name another with --socket");
      return false;
    }
    if (::access(client_.socket_path().c_str(), W_OK) != 0) {
      add("fail", "socket", "you may not write to " + shown_path(),
          how_to_be_let_in(client_.socket_path()));
      return false;
    }
    if ((info.st_mode & S_IWOTH) != 0)
      add("ok", "socket", shown_path() + ", open to every user of this machine");
    else
      add("ok", "socket", shown_path() + ", owned by " + describe_user(info.st_uid));
    return true;
  }

  // Whoever may write to the folder can replace the daemon's socket.
  void look_at_folder() {
    const std::size_t slash = client_.socket_path().rfind('/');
    const std::string folder = slash == std::string::npos ? "."
                               : slash == 0               ? "/"
                                                          : client_.socket_path().substr(0, slash);
    const std::string shown = escape_for_humans(folder);
    struct stat info;
    if (::stat(folder.c_str(), &info) != 0) {
      add("warn", "folder", shown + ": " + std::strerror(errno), "check its permissions");
      return;
    }
    const bool sticky = (info.st_mode & S_ISVTX) != 0;
    if ((info.st_mode & S_IWOTH) != 0 && !sticky)
      add("fail", "folder", "all users may write to " + shown,
          "chmod o-w " + shell_quote(folder) + ": anybody could pose as the daemon");
    else if ((info.st_mode & S_IWOTH) != 0)
      add("warn", "folder", shown + " is shared by all users",
          "use a separate folder, such as $XDG_RUNTIME_DIR/taskctl");
    else if (info.st_uid != 0 && info.st_uid != ::getuid() && info.st_uid != socket_owner())
      add("warn", "folder", shown + " belongs to " + describe_user(info.st_uid),
          "make sure that you trust that user");
    else
      add("ok", "folder", shown + ", owned by " + describe_user(info.st_uid));
  }

  uid_t socket_owner() const {
    struct stat info;
    return ::stat(client_.socket_path().c_str(), &info) == 0 ? info.st_uid : 0;
  }

  void look_at_daemon() {
    const BootTime before = context_.clock.boot_now();
    const bool is_copy = !is_healthy();
    add("ok", "daemon",
        "answers within " + std::to_string(context_.clock.boot_now() - before) + " ms");
    if (is_copy)
      add("fail", "store", "it is a copy of another store, and read-only",
          "stop this daemon, then adopt the copy: taskctl daemon --adopt-copy");
    const Stats stats = read_stats(client_.get("/v1/stats"));
    look_at_version(stats);
    look_at_boot();
    if (stats.disk) look_at_disk(*stats.disk);
    if (stats.clock) look_at_clock(*stats.clock);
    if (stats.events_of_removed_tasks >= 0)
      add("ok", "history",
          "has " + format_count(stats.events_of_removed_tasks) +
              " events of tasks that were removed");
    look_at_queues(stats);
    look_at_workers(stats);
    look_at_needs(stats.machine());
    look_at_hooks();
    look_at_failures();
    look_for_damage();
  }

  // Checks the database if the daemon allows it; otherwise says nothing.
  void look_for_damage() {
    try {
      HttpRequest request;
      request.target = "/v1/integrity";
      Exchange exchange = client_.begin(request);
      client_.finish(exchange, kCheckTimeoutMs);
      const auto answer = client_.result_of(exchange);
      if (answer.at("result") == "ok")
        add("ok", "database", "no damage found");
      else
        add("fail", "database",
            "it is damaged: " + escape_for_humans(answer.at("findings").at(0).get<std::string>()),
            "stop the daemon and restore a backup");
    } catch (const Refused& refused) {
      if (refused.problem.status != 403 && refused.problem.status != 404) throw;
    }
  }

  // Returns false if the store is a copy.
  bool is_healthy() const {
    try {
      client_.get("/v1/healthz");
      return true;
    } catch (const Refused& refused) {
      if (refused.problem.code != "store_is_copy") throw;
      return false;
    }
  }

  // After a boot, cron and delayed tasks need the daemon itself, not only its socket.
  void look_at_boot() {
    const auto manager = manager_of(client_.socket_path(), context_.env);
    if (!manager) return;
    const std::string units = "taskctl.service";
    const std::string systemctl =
        std::string("systemctl ") + (*manager == Manager::user ? "--user " : "");
    const std::string state = enablement_of(*manager, units, context_.env);
    if (state == "enabled") {
      const std::string linger = "/var/lib/systemd/linger/" + short_user(::getuid());
      const bool with_session = *manager == Manager::user && ::access(linger.c_str(), F_OK) != 0;
      add("ok", "boot",
          units + (with_session ? " starts with your first session (at boot after loginctl "
                                  "enable-linger)"
                                : " starts at boot"));
    } else if (state == "disabled" || state == "indirect" || state == "linked" ||
               state == "enabled-runtime" || state == "masked") {
      add("warn", "boot",
          units + " is " + state + ": after a boot nothing runs until a client connects",
          (state == "masked" ? systemctl + "unmask " + units + "; " : "") + systemctl + "enable " +
              units);
    }  // otherwise there is no such unit: started by hand, or by another manager
  }

  void look_at_version(const Stats& stats) {
    const std::string versions =
        std::string("taskctl ") + kVersion + ", taskd " + escape_for_humans(stats.daemon_version);
    if (stats.daemon_version == kVersion)
      add("ok", "version", versions);
    else
      add("warn", "version", versions, "restart the daemon, or install the same version of both");
  }

  void look_at_disk(const DiskRoom& disk) {
    const std::string room = format_bytes(disk.free_bytes) + " are free";
    if (!disk.writable)
      add("fail", "disk", "the daemon cannot write to its state directory",
          "check that it exists and is mounted read-write; then restart the daemon");
    else if (disk.free_bytes == 0 || disk.free_bytes < disk.needed_bytes)
      add("fail", "disk", room + ", the daemon needs " + format_bytes(disk.needed_bytes),
          "make room, for instance with taskctl rm");
    else if (disk.free_bytes < kLittleBytes)
      add("warn", "disk", room, "make room, for instance with taskctl rm");
    else
      add("ok", "disk", room);
  }

  void look_at_clock(const DoubtedClock& clock) {
    add("warn", "clock",
        "it jumped ahead by " + format_duration_ms(clock.ahead_ms) +
            ": old tasks are not removed before " + format_local(clock.believed_at) + " (" +
            format_relative(clock.believed_at, context_.clock.wall_now()) + ")",
        "correct the clock; if it is correct, wait, or remove old tasks now with taskctl prune");
  }

  void look_at_queues(const Stats& stats) {
    bool good = true;
    for (const QueueCounts& queue : stats.queues) {
      const std::string finding = escape_for_humans(queue.name) + " holds " +
                                  std::to_string(queue.waiting()) + " of " +
                                  std::to_string(queue.capacity) + " waiting tasks";
      if (queue.capacity > 0 && queue.waiting() >= queue.capacity)
        add("fail", "queue", finding + ": it is full", "raise its capacity or cancel some");
      else if (queue.capacity > 0 && queue.waiting() * 10 >= queue.capacity * 9)
        add("warn", "queue", finding, "it will be full soon");
      else if (queue.paused && queue.waiting() > 0)
        add("warn", "queue", finding + ": it is paused",
            "taskctl queue resume " + escape_for_humans(queue.name));
      else
        continue;
      good = false;
    }
    if (good)
      add("ok", "queues",
          std::to_string(stats.queues.size()) + ", none full; " +
              std::to_string(stats.total(State::queued)) + " tasks queued");
  }

  void look_at_workers(const Stats& stats) {
    const std::string busy =
        std::to_string(stats.workers_busy) + " of " + std::to_string(stats.workers_total) + " busy";
    if (stats.workers_total == 0)
      add("fail", "workers", "there are none", "start the daemon with --workers N");
    else if (!stands_still(stats) || something_waits_for_room())
      add("ok", "workers", busy);
    else
      add("fail", "workers", busy + ", although tasks are queued",
          "look at the daemon's log; restarting it leaves running jobs alone");
  }

  // Finds tasks that were submitted when the daemon had more workers or resources.
  void look_at_needs(const Machine& machine) {
    std::vector<TaskId> stuck;
    list_tasks(client_, "state=queued&order=oldest", kManyQueued, [&](const nlohmann::json& json) {
      const Task task = read_task(json);
      if (find_unmet(machine, demand_of(task.spec.constraints))) stuck.push_back(task.id);
    });
    if (stuck.empty()) return;
    const std::string first = std::to_string(stuck.front());
    add("warn", "needs",
        "#" + first + (stuck.size() == 1 ? "" : " and " + count_tasks(stuck.size() - 1) + " more") +
            " can never start: the daemon does not have the resources",
        "taskctl why " + first + "; then give the daemon more, or taskctl edit or cancel");
  }

  // Slots or resources; other tasks may rightly wait behind such a task.
  bool something_waits_for_room() {
    const nlohmann::json list = client_.get("/v1/tasks?state=queued&order=oldest&limit=20");
    for (const nlohmann::json& task : list.at("tasks")) {
      const std::string path = "/v1/tasks/" + std::to_string(read_task(task).id) + "/why";
      const WaitKind kind = why_from_json(client_.get(path)).kind;
      if (kind == WaitKind::slots || kind == WaitKind::resource || kind == WaitKind::kept ||
          kind == WaitKind::never_fits)
        return true;
    }
    return false;
  }

  // Tasks may start and a worker is idle, but a moment later nothing has moved.
  bool stands_still(const Stats& first) {
    constexpr int kLooks = 10;
    constexpr int kBetweenMs = 100;
    const auto idle = [](const Stats& stats) {
      return stats.startable() > 0 && stats.workers_busy < stats.workers_total;
    };
    bool still = idle(first);
    for (int i = 0; i < kLooks && still; ++i) {
      pause_ms(kBetweenMs);
      const Stats now = read_stats(client_.get("/v1/stats"));
      still = idle(now) && now.startable() >= first.startable();
    }
    return still;
  }

  void look_at_hooks() {
    bool good = true;
    const std::vector<ShownHook> hooks = read_hooks(client_.get("/v1/hooks"));
    for (const ShownHook& hook : hooks) {
      const HookCounts& counts = hook.counts;
      const WallTime day_ago = context_.clock.wall_now() + -kRecentMs;
      const bool is_old = counts.last_error_at && *counts.last_error_at < day_ago;
      if (counts.last_error.empty() || (counts.pending == 0 && is_old)) continue;
      good = false;
      add("warn", "hook",
          escape_for_humans(hook.name) + " has " + std::to_string(counts.pending) +
              " deliveries waiting and " + std::to_string(counts.failed) +
              " given up: " + escape_for_table(counts.last_error),
          "taskctl hooks test " + escape_for_humans(hook.name));
    }
    if (good && !hooks.empty()) add("ok", "hooks", std::to_string(hooks.size()) + ", none failing");
  }

  void look_at_failures() {
    Selection selection;
    selection.states = {State::failed};
    selection.since = context_.clock.wall_now() + -kRecentMs;
    std::size_t count = 0;
    std::size_t dead = 0;
    std::vector<Task> poison;
    list_tasks(client_, filter_to_query(selection), kManyFailures, [&](const nlohmann::json& task) {
      ++count;
      const Task failed = read_task(task);
      if (is_dead(failed)) ++dead;
      if (failed.reason == Reason::poison) poison.push_back(failed);
    });
    look_at_poison(poison);
    if (count == 0)
      add("ok", "failures", "no task of the last day has failed");
    else
      add("warn", "failures",
          (count == kManyFailures ? "at least " : "") + std::to_string(count) +
              (count == 1 ? " task" : " tasks") + " of the last day failed" +
              (dead > 0 ? ", " + std::to_string(dead) + " of them dead" : ""),
          dead > 0 ? "taskctl list --dead --since 1d; once fixed, taskctl retry --dead"
                   : "taskctl list --state failed --since 1d");
  }

  // Finds tasks whose attempts all lost their shims.
  void look_at_poison(const std::vector<Task>& tasks) {
    if (tasks.empty()) return;
    const std::string first = std::to_string(tasks.front().id);
    std::string finding =
        "#" + first + (tasks.size() == 1 ? "" : " and " + count_tasks(tasks.size() - 1) + " more") +
        " lost every attempt";
    if (tasks.front().last_outcome)
      finding += ": " + escape_for_table(tasks.front().last_outcome->detail);
    add("warn", "poison", finding,
        "taskctl why " + first + ": a command may kill its parent process");
  }

  static bool is_dead(const Task& task) {
    const std::vector<Reason> dead = dead_reasons();
    return task.reason && std::find(dead.begin(), dead.end(), *task.reason) != dead.end();
  }

  Context& context_;
  const Client client_;
  std::vector<Check> checks_;
};

Color color_of_verdict(std::string_view result) {
  return result == "ok" ? Color::green : result == "warn" ? Color::yellow : Color::red;
}

void print_checks(Context& context, const Painter& paint, const std::vector<Check>& checks) {
  for (const Check& check : checks) {
    std::string result(check.result);
    result.resize(4, ' ');
    context.out.line(paint(color_of_verdict(check.result), result) + "  " + check.name + ": " +
                     check.finding);
    if (!check.remedy.empty()) context.out.line("      → " + check.remedy);
  }
}

void print_checks_json(Context& context, const std::vector<Check>& checks) {
  nlohmann::json document{{"version", 1}, {"checks", nlohmann::json::array()}};
  for (const Check& check : checks)
    document["checks"].push_back({{"result", check.result},
                                  {"name", check.name},
                                  {"finding", check.finding},
                                  {"remedy", check.remedy}});
  context.out.line(print_json(document));
}

}  // namespace

int doctor_command(Context& context, const Words& argv) {
  CommonOptions common;
  bool json = false;
  Args args("doctor", kDoctorHelp);
  args.flag("--json", json, "print the checks as JSON");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Painter paint = make_painter(context, common);
  const Client client = connect(context, common, kAnswerTimeoutMs);
  const std::vector<Check> checks = Doctor(context, client).examine();
  if (json)
    print_checks_json(context, checks);
  else
    print_checks(context, paint, checks);
  for (const Check& check : checks) {
    if (check.result == "fail") return kExitSomeFailed;
  }
  return kExitOk;
}

}  // namespace taskd::ctl
