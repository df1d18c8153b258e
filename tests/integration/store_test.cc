// The store's files meet an administrator: copied, restored, removed, put on the wrong disk, locked
// by another program.
#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "tests/support/daemon.h"
#include "tests/support/other_daemon.h"

using namespace taskd::test;

namespace {

namespace fs = std::filesystem;

std::string database_of(const TestDaemon& daemon) {
  return daemon.state_dir() + "/taskctl.db";
}

// A job that says that it runs and stays until `gate` exists.
std::string gated_job(const TestDaemon& daemon, const std::vector<std::string>& more = {}) {
  std::vector<std::string> args = more;
  const std::string begun = daemon.dir() / "begun";
  args.insert(args.end(), {"--shell", "echo on >> " + begun + "; until [ -e " +
                                          (daemon.dir() / "gate") + " ]; do sleep 0.05; done"});
  std::string id = daemon.submit(args);
  wait_for_file(begun);
  return id;
}

RunResult taskd_ends(const std::vector<std::string>& argv) {
  return run(argv);
}

void change(const std::string& database, const std::string& sql) {
  SQLite::Database(database, SQLite::OPEN_READWRITE, 5000).exec(sql);
}

// Unmounts what a test mounted.
struct Mounted {
  explicit Mounted(std::string p) : path(std::move(p)) {}
  ~Mounted() { ::umount2(path.c_str(), MNT_DETACH); }
  std::string path;
};

}  // namespace

TEST_CASE("a daemon on a copy touches nothing of the original, until somebody decides") {
  const TestDaemon daemon;
  const std::string running = gated_job(daemon);
  const std::string waiting = daemon.submit({"--hold", "--", "true"});
  const TempDir place;
  const std::string copy = place / "copy";
  SUBCASE("the whole folder") {
    REQUIRE(run({"cp", "-a", daemon.state_dir(), copy}).exit_code == 0);
  }
  SUBCASE("a backup of the database") {
    fs::create_directory(copy);
    change(database_of(daemon), "VACUUM INTO '" + copy + "/taskctl.db'");
  }
  {
    OtherDaemon other(copy);
    CHECK(contains(other.ctl({"list"}).out, running));
    const RunResult refused = other.ctl({"submit", "--", "true"});
    CHECK(refused.exit_code == 75);
    CHECK(contains(refused.err, "taskctl daemon --adopt-copy"));
    CHECK(other.ctl({"cancel", running}).exit_code == 75);
    CHECK(other.ctl({"signal", "TERM", running}).exit_code == 75);
    const RunResult doctor = other.ctl({"doctor"});
    CHECK(doctor.exit_code == 1);
    CHECK(contains(doctor.out, "fail  store: it is a copy of another store"));
    const RunResult ended = other.stop();
    CHECK(ended.exit_code == 0);
    CHECK(contains(ended.err, "copy of another"));
  }
  CHECK(daemon.state(running) == "running");
  const RunResult adopted = taskd_ends(taskd_on(copy, place, {"--adopt-copy"}));
  CHECK(adopted.exit_code == 0);
  CHECK(contains(adopted.out, "now a store of its own"));
  CHECK(contains(taskd_ends(taskd_on(copy, place, {"--adopt-copy"})).out, "is not a copy"));
  {
    OtherDaemon other(copy);
    const RunResult shown = other.ctl({"show", "--json", running});
    CHECK(contains(shown.out, "\"lost\""));
    CHECK(other.ctl({"release", waiting}).exit_code == 0);
    CHECK(other.ctl({"wait", waiting}).exit_code == 0);
    CHECK(other.stop().exit_code == 0);
  }
  CHECK(daemon.state(running) == "running");
  write_text(daemon.dir() / "gate", "");
  CHECK(daemon.wait(running).at("state") == "succeeded");
  CHECK(daemon.state(waiting) == "held");
}

TEST_CASE("a folder that was moved or started again is still the store") {
  TestDaemon daemon;
  daemon.submit({"--hold", "--", "true"});
  daemon.stop();
  fs::rename(daemon.state_dir(), daemon.state_dir() + ".moved");
  {
    OtherDaemon other(daemon.state_dir() + ".moved");
    CHECK(other.ctl({"doctor"}).exit_code == 0);
    CHECK(other.stop().exit_code == 0);
  }
  fs::rename(daemon.state_dir() + ".moved", daemon.state_dir());
  daemon.start();
  daemon.restart_after_kill9();
  CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
}

TEST_CASE("after an older database was restored no task shows the output of another") {
  TestDaemon daemon;
  const std::string backup = daemon.dir() / "backup";
  const std::string known = daemon.submit({"--", "echo", "known"});
  daemon.wait(known);
  change(database_of(daemon), "VACUUM INTO '" + backup + "'");
  const std::string secret = daemon.submit({"--", "echo", "secret of another history"});
  daemon.wait(secret);
  SUBCASE("after an orderly stop") {
    daemon.stop();
  }
  SUBCASE("after a crash") {
    daemon.kill9();
  }
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(database_of(daemon) + suffix);
  fs::copy_file(backup, database_of(daemon));
  daemon.start();
  CHECK(contains(daemon.log(), "it was restored"));
  const std::string next = daemon.submit({"--", "true"});
  CHECK(next != secret);
  CHECK(daemon.wait(next).at("state") == "succeeded");
  CHECK(daemon.ctl({"logs", next}).out.empty());
  CHECK(daemon.ctl({"logs", known}).out == "known\n");
}

TEST_CASE("what ran and left no evidence is lost, not started again as if it had never run") {
  TestDaemon daemon;
  const std::string id = gated_job(daemon, {"--on-lost", "fail"});
  daemon.kill9();
  const std::string attempts = daemon.state_dir() + "/attempts";
  const std::string lock = attempts + "/0/" + id + ".1/lock";
  SUBCASE("the folder attempts was removed") {
    fs::remove_all(attempts);
  }
  SUBCASE("the attempt's folder was removed") {
    fs::remove_all(attempts + "/0/" + id + ".1");
  }
  SUBCASE("the lock is another file, full of garbage") {
    fs::remove(lock);
    write_text(lock, std::string(20'000, 'x'));
  }
  SUBCASE("the lock is another file, empty") {
    fs::remove(lock);
    write_text(lock, "");
  }
  daemon.start();
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "failed");
  CHECK(task.at("reason") == "lost");
  CHECK(read_text(daemon.dir() / "begun") == "on\n");
}

TEST_CASE("nothing is acknowledged once the store's files are gone") {
  TestDaemon daemon;
  daemon.submit({"--hold", "--", "true"});
  SUBCASE("the folder was removed") {
    fs::remove_all(daemon.state_dir());
  }
  SUBCASE("the folder was moved") {
    fs::rename(daemon.state_dir(), daemon.state_dir() + ".away");
  }
  SUBCASE("the database was removed") {
    fs::remove(database_of(daemon));
  }
  SUBCASE("the wal was removed") {
    fs::remove(database_of(daemon) + "-wal");
  }
  SUBCASE("another file stands in the database's place") {
    fs::copy_file(database_of(daemon), database_of(daemon) + ".copy");
    fs::rename(database_of(daemon) + ".copy", database_of(daemon));
  }
  CHECK(daemon.ctl({"submit", "--hold", "--", "true"}).exit_code != 0);
  const RunResult ended = daemon.wait_for_end();
  CHECK(ended.exit_code == 74);
  CHECK(contains(daemon.log(), "was removed or replaced while taskd was running"));
}

TEST_CASE("one state directory has one daemon, also when its lock file was removed") {
  const TestDaemon daemon;
  fs::remove(daemon.state_dir() + "/lock");
  const TempDir place;
  const RunResult second = taskd_ends(taskd_on(daemon.state_dir(), place));
  CHECK(second.exit_code == 75);
  CHECK(contains(second.err, "already serves this state directory"));
  CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
}

TEST_CASE("only the owner may open the store's files, however they were put there") {
  TestDaemon daemon;
  daemon.submit({"--hold", "--", "true"});
  daemon.kill9();
  const std::string names[] = {"taskctl.db",         "taskctl.db-wal",  "taskctl.db-shm",
                               "taskctl.db.ballast", "taskctl.db.mark", "lock"};
  for (const std::string& name : names) {
    REQUIRE(::chmod((daemon.state_dir() + "/" + name).c_str(), 0644) == 0);
  }
  daemon.start();
  for (const std::string& name : names) {
    CAPTURE(name);
    struct stat info {};
    REQUIRE(::stat((daemon.state_dir() + "/" + name).c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
  }
}

TEST_CASE("a database that is missing beside what is left of it is not begun anew") {
  TestDaemon daemon;
  const std::string database = database_of(daemon);
  daemon.wait(daemon.submit({"--", "echo", "output"}));
  const TempDir place;
  const auto refused = [&](const std::string& part) {
    const RunResult result = taskd_ends(taskd_on(daemon.state_dir(), place));
    CHECK(result.exit_code == 65);
    CHECK(contains(result.err, part));
  };
  daemon.kill9();
  const std::string wal = read_text(database + "-wal");
  REQUIRE_FALSE(wal.empty());
  fs::rename(database, database + ".away");
  refused("is missing, but " + database + "-wal holds acknowledged tasks");
  write_text(database, "");
  refused("is empty, but " + database + "-wal holds acknowledged tasks");
  CHECK(read_text(database).empty());
  CHECK(read_text(database + "-wal") == wal);
  fs::rename(database + "-wal", database + ".wal-away");
  refused("shows that a store was here");
  fs::remove(database);
  SQLite::Database(database, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("VACUUM");
  refused("holds no store, but " + database + ".mark shows that a store was here");
  fs::rename(database + ".mark", database + ".mark-away");
  refused("holds no store, but the folder attempts has files of task 1");
  write_text(database, "");
  fs::remove(database + "-wal");
  fs::remove(database + "-shm");
  refused("is empty, but the folder attempts has files of task 1");
  fs::rename(database + ".mark-away", database + ".mark");
  fs::rename(database + ".wal-away", database + "-wal");
  fs::rename(database + ".away", database);
  daemon.start();
  CHECK(daemon.state("1") == "succeeded");
}

TEST_CASE("a database that is a link is refused, since its wal lies elsewhere") {
  const TestDaemon daemon;
  const TempDir place;
  fs::create_directory(place / "state");
  fs::create_symlink(database_of(daemon), place / "state/taskctl.db");
  const RunResult result = taskd_ends(taskd_on(place / "state", place));
  CHECK(result.exit_code == 65);
  CHECK(contains(result.err, "is a symbolic link"));
}

TEST_CASE("a store whose files have a second name is refused under both names") {
  TestDaemon daemon;
  const std::string id = gated_job(daemon);
  const TempDir place;
  const std::string linked = place / "state";
  fs::create_directory(linked);
  const auto link = [&](const std::string& name) {
    fs::create_hard_link(daemon.state_dir() + "/" + name, linked + "/" + name);
  };
  SUBCASE("all of them") {
    for (const char* name : {"taskctl.db", "taskctl.db-wal", "taskctl.db-shm", "taskctl.db.mark"})
      link(name);
  }
  bool mark_alone = false;
  SUBCASE("the mark alone, beside a copy of the database") {
    mark_alone = true;
    link("taskctl.db.mark");
    change(database_of(daemon), "VACUUM INTO '" + linked + "/taskctl.db'");
  }
  const auto refused = [&](const std::string& state_dir) {
    const RunResult result = taskd_ends(taskd_on(state_dir, place, {"--adopt-copy"}));
    CHECK(result.exit_code == 65);
    CHECK(contains(result.err, "is a hard link"));
  };
  refused(linked);
  daemon.stop();  // which replaces the mark
  if (mark_alone) {
    OtherDaemon other(linked);
    CHECK(other.ctl({"cancel", id}).exit_code == 75);
    CHECK(contains(other.stop().err, "copy of another"));
  } else {
    refused(linked);
    refused(daemon.state_dir());
  }
  fs::remove_all(linked);
  daemon.start();
  CHECK(daemon.state(id) == "running");
  write_text(daemon.dir() / "gate", "");
  CHECK(daemon.wait(id).at("state") == "succeeded");
}

TEST_CASE("the same folder under another path is the same store, with one daemon") {
  TestDaemon daemon;
  const TempDir place;
  fs::create_directory_symlink(daemon.state_dir(), place / "link");
  CHECK(taskd_ends(taskd_on(place / "link", place)).exit_code == 75);
  const std::string id = gated_job(daemon);
  daemon.stop();
  {
    OtherDaemon other(place / "link");
    CHECK(contains(other.ctl({"show", "--json", id}).out, "\"running\""));
    CHECK(other.stop().exit_code == 0);
  }
  daemon.start();
  write_text(daemon.dir() / "gate", "");
  CHECK(daemon.wait(id).at("state") == "succeeded");
}

TEST_CASE("a store is made on demand only where somebody names the place") {
  const TempDir dir;
  const std::string state = dir / "not-mounted/state";
  const RunResult refused = taskd_ends(taskd_on(state, dir));
  CHECK(refused.exit_code == 66);
  CHECK(contains(refused.err, "taskctl daemon --init --state-dir " + state));
  CHECK_FALSE(fs::exists(dir / "not-mounted"));
  fs::create_directories(state);  // as an empty mount point
  CHECK(taskd_ends(taskd_on(state, dir)).exit_code == 66);
  CHECK(fs::is_empty(state));
  const RunResult made = taskd_ends(taskd_on(state, dir, {"--init"}));
  CHECK(made.exit_code == 0);
  CHECK(contains(made.out, "created an empty store in " + state));
  CHECK(contains(taskd_ends(taskd_on(state, dir, {"--init"})).out, "already holds a store"));
  OtherDaemon daemon(state);
  CHECK(daemon.ctl({"run", "--", "true"}).exit_code == 0);
  CHECK(daemon.stop().exit_code == 0);
  RunOptions home;
  home.env = {{"XDG_STATE_HOME", dir / "home"}, {"HOME", dir / "home"}};
  if (::geteuid() != 0) {  // root's default is the machine's own
    CHECK(run({taskd_path(), "--init", "--config", dir / "taskctl.toml"}, home).exit_code == 0);
  }
}

TEST_CASE("while another program holds the database locked, submits wait and jobs go on") {
  TestDaemon daemon;
  const std::string id = gated_job(daemon);
  const std::string held = daemon.submit({"--hold", "--", "true"});
  SQLite::Database other(database_of(daemon), SQLite::OPEN_READWRITE, 5000);
  other.exec("BEGIN IMMEDIATE");
  const RunResult refused = daemon.ctl({"submit", "--", "true"});
  CHECK(refused.exit_code == 75);
  CHECK(contains(refused.err, "temporarily unavailable"));
  write_text(daemon.dir() / "gate", "");
  CHECK(daemon.ctl({"submit", "--", "true"}).exit_code == 75);
  CHECK(daemon.state(held) == "held");  // reads go on
  other.exec("COMMIT");
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
  CHECK(daemon.pid() > 0);
}

TEST_CASE("a start that finds the database locked is to be tried again") {
  TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--", "true"});
  daemon.stop();
  {
    SQLite::Database other(database_of(daemon), SQLite::OPEN_READWRITE, 5000);
    other.exec("BEGIN IMMEDIATE");
    const TempDir place;
    const RunResult result = taskd_ends(taskd_on(daemon.state_dir(), place));
    CHECK(result.exit_code == 75);
    CHECK(contains(result.err, "Another program holds the database"));
  }
  daemon.start();
  CHECK(daemon.state(id) == "held");
}

TEST_CASE("a task whose row is damaged while it runs is adopted and ends as it does") {
  TestDaemon daemon;
  const std::string id = gated_job(daemon);
  daemon.kill9();
  change(database_of(daemon), "UPDATE task_specs SET spec = 'damaged'");
  daemon.start();
  CHECK(daemon.state(id) == "running");
  CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
  write_text(daemon.dir() / "gate", "");
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(read_text(daemon.dir() / "begun") == "on\n");
}

TEST_CASE("a row that cannot be read fails its task and holds up nothing else") {
  TestDaemon daemon;
  CHECK(daemon.ctl({"queue", "pause", "default"}).exit_code == 0);
  const std::string first = daemon.submit({"--", "true"});
  const std::string second = daemon.submit({"--slots", "2", "--", "true"});
  const std::string third = daemon.submit({"--slots", "2", "--", "true"});
  const std::string other = daemon.submit({"--", "true"});
  const std::string dependant = daemon.submit({"--after", first + ":any", "--", "true"});
  CHECK(daemon.ctl({"schedule", "add", "broken", "--every", "1h", "--", "true"}).exit_code == 0);
  CHECK(daemon.ctl({"schedule", "add", "sound", "--every", "1h", "--", "true"}).exit_code == 0);
  change(database_of(daemon),
         "UPDATE task_specs SET spec = '{\"version\":1,\"argv\":[\"true\"],\"from_the_future\":1}' "
         "WHERE task_id "
         "= " +
             first + ";UPDATE task_specs SET spec = 'damaged' WHERE task_id = " + second +
             ";UPDATE tasks SET demand = 'damaged' WHERE id = " + third +
             ";UPDATE schedules SET spec = '[', next_at_ms = 1 WHERE name = 'broken'");
  CHECK(daemon.ctl({"list"}).exit_code == 0);
  CHECK(daemon.ctl({"show", first}).exit_code == 0);
  daemon.restart_after_kill9();
  CHECK(daemon.ctl({"queue", "resume", "default"}).exit_code == 0);
  for (const std::string& broken : {first, second, third}) {
    const auto task = daemon.wait(broken);
    CHECK(task.at("state") == "failed");
    CHECK(task.at("reason") == "spawn");
    CHECK(contains(daemon.ctl({"show", broken}).out, "cannot be read"));
  }
  const RunResult edited = daemon.ctl({"retry", "--edit", second, "--name", "other"});
  CHECK(edited.exit_code != 0);
  CHECK(contains(edited.err, "the stored spec of task " + second + " cannot be read"));
  CHECK(daemon.wait(other).at("state") == "succeeded");
  CHECK(daemon.wait(dependant).at("state") == "succeeded");
  const RunResult schedules = daemon.ctl({"schedule", "list"});
  CHECK(contains(schedules.out, "sound"));
  CHECK(contains(daemon.ctl({"schedule", "show", "broken"}).out, "cannot be read"));
  const RunResult triggered = daemon.ctl({"schedule", "trigger", "broken"});
  CHECK(triggered.exit_code == 73);
  CHECK(contains(triggered.err, "the task of schedule \"broken\" cannot be read"));
  CHECK(daemon.stop().exit_code == 0);
}

TEST_CASE("an array whose rest cannot be read is given up, and the daemon goes on") {
  TestDaemon daemon;
  std::vector<std::string> argv = {taskctl_path(), "submit", "--hold", "--array", "1-40000", "--",
                                   "true"};
  Child submitter(argv, {.env = {{"TASKD_SOCKET", daemon.socket()}}});
  while (daemon.ctl({"list", "-n", "1"}).out.empty()) {
  }
  daemon.kill9();
  submitter.wait();
  change(database_of(daemon), "UPDATE array_specs SET task = '{\"torn'");
  daemon.start();
  CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
  const std::string dependant = daemon.submit({"--after", "1", "--", "true"});
  CHECK(daemon.ctl({"cancel", "1"}).exit_code == 0);
  CHECK(daemon.wait(dependant).at("reason") == "dependency");
  CHECK(contains(daemon.log(), "giving up an array"));
  CHECK(contains(daemon.log(), "array=1 "));
  daemon.restart_after_kill9();
  CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
  CHECK(daemon.stop().exit_code == 0);
}

TEST_CASE("a database of a later version is refused by its version, and left as it is") {
  TestDaemon daemon;
  daemon.stop();
  std::string says;
  SUBCASE("of the schema") {
    change(database_of(daemon), "PRAGMA user_version = 999");
    says = "newer taskd (schema 999";
  }
  SUBCASE("of the specs") {
    change(database_of(daemon), "UPDATE store SET spec_version = 999");
    says = "newer taskd (version 999";
  }
  const std::string before = read_text(database_of(daemon));
  const TempDir place;
  const RunResult result = taskd_ends(taskd_on(daemon.state_dir(), place));
  CHECK(result.exit_code == 78);
  CHECK(contains(result.err, says));
  CHECK(read_text(database_of(daemon)) == before);
}

TEST_CASE("damage that nobody asked for is found at the start after a crash") {
  TestDaemon daemon;
  for (int i = 0; i < 40; ++i) daemon.submit({"--hold", "--", "echo", std::string(2000, 'x')});
  daemon.kill9();
  const std::string database = database_of(daemon);
  change(database, "PRAGMA wal_checkpoint(TRUNCATE)");
  std::string pages = read_text(database);
  REQUIRE(pages.size() > 20 * 4096);
  // Of a page of the specs, which nothing reads at a start: its cells point nowhere.
  const std::size_t in_spec = pages.rfind("xxxxxxxxxxxxxxxx");
  REQUIRE(in_spec != std::string::npos);
  pages.replace(in_spec / 4096 * 4096 + 8, 64, std::string(64, '\x55'));
  write_text(database, pages);
  SQLite::Database open_elsewhere(database, SQLite::OPEN_READWRITE, 5000);
  open_elsewhere.exec("CREATE TABLE left_open (a); DROP TABLE left_open");  // leaves a -wal
  const TempDir place;
  Child child(taskd_on(daemon.state_dir(), place));
  const RunResult result = child.wait();
  CHECK(result.exit_code != 0);
  CHECK(contains(result.err, "damage"));
}

TEST_CASE("a daemon starts on a full disk, from the ballast, and records what ended meanwhile") {
  const TempDir dir;
  const std::string state = dir / "state";
  fs::create_directory(state);
  if (::mount("none", state.c_str(), "tmpfs", 0, "size=12m,mode=0700") != 0) {
    MESSAGE("only root can fill a disk of its own");
    return;
  }
  const Mounted mounted(state);
  const std::vector<std::string> ballast = {"--ballast", "2MiB"};
  REQUIRE(taskd_ends(taskd_on(state, dir, {"--init", "--ballast", "2MiB"})).exit_code == 0);
  const std::string gate = dir / "gate";
  const std::string begun = dir / "begun";
  {
    OtherDaemon daemon(state, ballast);
    CHECK(daemon
              .ctl({"submit", "--shell",
                    "echo > " + begun + "; until [ -e " + gate + " ]; do sleep 0.05; done"})
              .exit_code == 0);
    wait_for_file(begun);
    SUBCASE("after an orderly stop") {
      CHECK(daemon.stop().exit_code == 0);
    }
    SUBCASE("after a crash") {
      daemon.child().kill(SIGKILL);
      daemon.child().wait();
    }
  }
  std::string filler = state + "/filler";
  {
    const int fd = ::open(filler.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string block(4096, 'f');
    while (::write(fd, block.data(), block.size()) > 0) {
    }
    ::close(fd);
  }
  write_text(gate, "");
  OtherDaemon daemon(state, ballast);
  CHECK(daemon.ctl({"wait", "1", "--timeout", "60s"}).exit_code == 0);
  CHECK(daemon.ctl({"submit", "--", "true"}).exit_code == 73);
  fs::remove(filler);
  CHECK(daemon.ctl({"run", "--", "true"}).exit_code == 0);
  CHECK(daemon.stop().exit_code == 0);
}

TEST_CASE("a full disk without ballast is a reason to try again later") {
  const TempDir dir;
  const std::string state = dir / "state";
  fs::create_directory(state);
  if (::mount("none", state.c_str(), "tmpfs", 0, "size=40k,mode=0700") != 0) {
    MESSAGE("only root can fill a disk of its own");
    return;
  }
  const Mounted mounted(state);
  const RunResult result = taskd_ends(taskd_on(state, dir, {"--init", "--ballast", "0"}));
  CHECK(result.exit_code == 75);
  CHECK(contains(result.err, "full"));
}

namespace {

// A file system of FUSE that is empty and answers nothing but what a mount asks for.
class EmptyFuse {
 public:
  explicit EmptyFuse(std::string where) : where_(std::move(where)) {
    device_ = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device_ < 0) return;
    const std::string options =
        "fd=" + std::to_string(device_) + ",rootmode=40755,user_id=0,group_id=0";
    if (::mount("test", where_.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
      return;
    }
    mounted_ = true;
    server_ = std::thread([this] { serve(); });
  }
  ~EmptyFuse() {
    if (mounted_) ::umount2(where_.c_str(), MNT_DETACH);  // ends the server's read
    if (server_.joinable()) server_.join();
    if (device_ >= 0) ::close(device_);
  }
  bool mounted() const { return mounted_; }

 private:
  template <class Body>
  void answer(std::uint64_t unique, const Body& body) const {
    struct {
      fuse_out_header head;
      Body body;
    } reply{{sizeof(fuse_out_header) + sizeof(Body), 0, unique}, body};
    static_cast<void>(::write(device_, &reply, sizeof reply) == 0);
  }

  void serve() const {
    alignas(8) char request[1 << 17];
    for (;;) {
      const ssize_t n = ::read(device_, request, sizeof request);
      if (n < static_cast<ssize_t>(sizeof(fuse_in_header))) return;
      fuse_in_header head{};
      std::memcpy(&head, request, sizeof head);
      if (head.opcode == FUSE_INIT) {
        fuse_init_out init{};
        init.major = FUSE_KERNEL_VERSION;
        init.minor = FUSE_KERNEL_MINOR_VERSION;
        init.max_write = 4096;
        answer(head.unique, init);
      } else if (head.opcode == FUSE_GETATTR) {
        fuse_attr_out attributes{};
        attributes.attr.ino = 1;
        attributes.attr.mode = S_IFDIR | 0755;
        attributes.attr.nlink = 2;
        answer(head.unique, attributes);
      } else if (head.opcode == FUSE_STATFS) {
        answer(head.unique, fuse_statfs_out{});
      } else if (head.opcode != FUSE_FORGET && head.opcode != FUSE_BATCH_FORGET) {
        const fuse_out_header refusal{sizeof refusal,
                                      head.opcode == FUSE_LOOKUP ? -ENOENT : -ENOSYS, head.unique};
        static_cast<void>(::write(device_, &refusal, sizeof refusal) == 0);
      }
    }
  }

  const std::string where_;
  int device_ = -1;
  bool mounted_ = false;
  std::thread server_;
};

}  // namespace

TEST_CASE("a state directory on a file system without locks is refused with the reason") {
  const TempDir dir;
  fs::create_directory(dir / "remote");
  const EmptyFuse fuse(dir / "remote");
  if (!fuse.mounted()) {
    MESSAGE("only root can mount, where there is /dev/fuse");
    return;
  }
  for (const std::string flag : {"--init", "--log-level=info"}) {
    const RunResult result = taskd_ends(taskd_on(dir / "remote/state", dir, {flag}));
    CHECK(result.exit_code == 78);
    CHECK(contains(result.err, "lies on FUSE"));
  }
}
