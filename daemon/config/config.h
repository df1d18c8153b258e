// The daemon's configuration: defaults, then the TOML file, then TASKD_… variables, then flags;
// later ones override. Every invalid setting is an error that names the setting and its place.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/base/log.h"
#include "daemon/hooks/hook_settings.h"
#include "daemon/store/task_store.h"
#include "daemon/task/handler.h"

namespace taskd {

struct Config {
  std::string config_file;  // "" = none read
  std::string state_dir;
  bool default_state_dir = true;  // not configured otherwise
  std::string socket;
  unsigned socket_mode = 0600;
  int workers = 0;
  log::Level log_level = log::Level::info;
  enum class LogTo { automatic, standard_error, journal } log_to = LogTo::automatic;
  std::int64_t output_cap_bytes = 64LL << 20;  // per stream of one attempt
  std::int64_t ballast_bytes = 16LL << 20;     // reserved on disk, and freed when the disk is full
  std::string shim;                            // path of taskd-shim
  std::string cgroup = "auto";                 // a delegated cgroup v2 folder, "auto" or "off"
  std::vector<QueuePatch> queues;
  std::vector<Hook> hooks;
  std::map<std::string, Resource> resources;
  Handlers handlers;
};

enum class Mode { run, init, adopt_copy, check_config, help, version };

struct CommandLine {
  Mode mode = Mode::run;
  std::string help;  // text for Mode::help
  Config config;
};

// Throws UsageError: 64 for the command line, 78 for the file and the variables.
CommandLine load_config(int argc, char** argv);

// The effective settings as a TOML document.
std::string describe(const Config& config);

}  // namespace taskd
