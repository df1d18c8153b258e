#include "daemon/engine/orphan_sweep.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "daemon/process/posix_launcher.h"
#include "tests/unit/engine/store_fixture.h"

using namespace taskd;
using namespace taskd::test;

namespace {

// The real store and the real folders.
struct SweepFixture : StoreFixture {
  SweepFixture()
      : launcher({.attempts_dir = attempts(),
                  .jobs_dir = attempts() + ".jobs",
                  .shim_path = "",
                  .boot_id = "boot",
                  .socket = "",
                  .output_cap_bytes = 0,
                  .cgroup_root = ""}) {}

  std::string attempts() const { return folder() + "/attempts"; }
  std::string path(const std::string& name) const { return attempts() + "/" + name; }
  void plant(const std::string& name) const {
    std::filesystem::create_directories(path(name));
    std::ofstream(path(name) + "/stdout.0") << "text";
  }
  bool is_there(const std::string& name) const { return std::filesystem::exists(path(name)); }
  void remove(TaskId id) {
    cancel(id);
    store->control({.actor = kActor, .verb = Verb::remove, .ids = {id}, .filter = {}});
  }
  void submit_many(int count) {
    SubmitRequest request;
    request.actor = kActor;
    request.tasks.resize(static_cast<std::size_t>(count));
    for (NewTask& task : request.tasks) task.spec.argv = {"true"};
    store->submit(request);
  }
  void sweep() {
    OrphanSweep sweep(*store, launcher);
    while (!sweep.done()) sweep.step();
  }

  PosixLauncher launcher;
};

}  // namespace

TEST_CASE("the sweep removes every folder of removed tasks and touches no other") {
  SweepFixture f;
  f.submit_many(2010);
  for (const TaskId id : {2, 1000, 2010}) f.remove(id);
  for (const char* gone : {"0/2.1", "0/2.7", "1/1000.1", "2/2010.3"}) f.plant(gone);
  for (const char* stays : {"0/1.1", "0/1.2", "0/3.1", "0/999.1", "1/1001.1", "2/2009.1",
                            "2/2011.1",  // no such id was given out yet
                            "0/1000.1", "0/002.1", "0/2.x", "0/2", "00/2.1", "notes/2.1"}) {
    f.plant(stays);
  }
  f.sweep();
  for (const char* gone : {"0/2.1", "0/2.7", "1/1000.1", "2/2010.3"}) CHECK_FALSE(f.is_there(gone));
  for (const char* stays :
       {"0/1.1", "0/1.2", "0/3.1", "0/999.1", "1/1001.1", "2/2009.1", "2/2011.1", "0/1000.1",
        "0/002.1", "0/2.x", "0/2", "00/2.1", "notes/2.1"}) {
    CAPTURE(stays);
    CHECK(f.is_there(std::string(stays) + "/stdout.0"));
  }
}

TEST_CASE("what is submitted and removed while the sweep goes on is left to others") {
  SweepFixture f;
  f.submit();
  f.plant("0/1.1");
  OrphanSweep sweep(*f.store, f.launcher);
  sweep.step();  // what is to be looked at stands now
  f.submit();
  f.plant("0/2.1");
  f.remove(2);
  while (!sweep.done()) sweep.step();
  CHECK(f.is_there("0/1.1"));
  CHECK(f.is_there("0/2.1"));
}

TEST_CASE("whatever lies in a folder of no task goes with it, and what is no folder stops nothing") {
  SweepFixture f;
  f.submit_many(1001);
  for (const TaskId id : {1, 2, 1001}) f.remove(id);
  f.plant("0/1.1/a folder nobody makes");
  f.plant("0/2.1");
  std::ofstream(f.path("1")) << "no folder";
  f.sweep();
  CHECK_FALSE(f.is_there("0/1.1"));
  CHECK_FALSE(f.is_there("0/2.1"));
}

TEST_CASE("there is nothing to sweep where nothing ever ran") {
  SweepFixture f;
  f.sweep();
  CHECK(std::filesystem::is_empty(f.attempts()));
}
