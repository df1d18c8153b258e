#include "daemon/config/config.h"

#include <sys/stat.h>
#include <sysexits.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/text.h"
#include "daemon/config/cgroup.h"
#include "daemon/config/config_error.h"
#include "daemon/config/file_permissions.h"
#include "daemon/config/handlers.h"
#include "daemon/config/hooks.h"
#include "daemon/config/queues.h"
#include "daemon/config/resources.h"
#include "daemon/config/tables.h"

namespace taskd {
namespace {

constexpr std::int64_t kMaxWorkers = 1024;

// One setting: how its text is parsed, and its names.
struct Setting {
  const char* key;  // in TOML; TASKD_<KEY> in the environment; --<key> with dashes as a flag
  const char* help;
  std::function<void(Config&, const std::string&)> set;  // throws std::invalid_argument
  bool is_path = false;  // in a flag or variable, may be relative to the current folder
};

[[noreturn]] void wrong_value(const std::string& expected) {
  throw std::invalid_argument(expected);
}

std::int64_t size_bytes(const std::string& text) {
  const auto bytes = parse_size_bytes(text);
  if (!bytes) wrong_value("expected a size such as 65536, 512KiB, 64MiB or 1GiB");
  return *bytes;
}

std::string absolute_path(const std::string& text) {
  if (text.empty() || text.front() != '/') wrong_value("expected an absolute path");
  if (text.find('\0') != std::string::npos) wrong_value("a path cannot contain NUL");
  return text;
}

int parse_workers(const std::string& text) {
  const auto value = parse_int(text);
  if (!value || *value < 1 || *value > kMaxWorkers) {
    wrong_value("expected a whole number from 1 to " + std::to_string(kMaxWorkers));
  }
  return static_cast<int>(*value);
}

log::Level parse_log_level(const std::string& text) {
  if (text == "debug") return log::Level::debug;
  if (text == "info") return log::Level::info;
  if (text == "warn") return log::Level::warn;
  if (text == "error") return log::Level::error;
  wrong_value("expected debug, info, warn or error");
}

std::string_view name_of(log::Level level) {
  switch (level) {
    case log::Level::debug:
      return "debug";
    case log::Level::info:
      return "info";
    case log::Level::warn:
      return "warn";
    case log::Level::error:
      return "error";
  }
  return "info";
}

Config::LogTo parse_log_to(const std::string& text) {
  if (text == "auto") return Config::LogTo::automatic;
  if (text == "stderr") return Config::LogTo::standard_error;
  if (text == "journal") return Config::LogTo::journal;
  wrong_value("expected auto, stderr or journal");
}

std::string_view name_of(Config::LogTo to) {
  switch (to) {
    case Config::LogTo::automatic:
      return "auto";
    case Config::LogTo::standard_error:
      return "stderr";
    case Config::LogTo::journal:
      return "journal";
  }
  return "auto";
}

bool parse_truth(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  wrong_value("expected true or false");
}

unsigned parse_mode(const std::string& text) {
  unsigned mode = 0;
  if (text.size() < 3 || text.size() > 4)
    wrong_value("expected an octal mode such as 0600 or 0660");
  for (const char c : text) {
    if (c < '0' || c > '7') wrong_value("expected an octal mode such as 0600 or 0660");
    mode = mode * 8 + static_cast<unsigned>(c - '0');
  }
  if ((mode & ~0777U) != 0) wrong_value("expected an octal mode such as 0600 or 0660");
  return mode;
}

std::string parse_cgroup(const std::string& text) {
  return text == "auto" || text == "off" ? text : absolute_path(text);
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = {
      {"state_dir", "where tasks and output are kept",
       [](Config& c, const std::string& v) { c.state_dir = absolute_path(v); }, true},
      {"socket", "the Unix socket to serve on",
       [](Config& c, const std::string& v) { c.socket = absolute_path(v); }, true},
      {"socket_mode", "the socket's permissions, octal",
       [](Config& c, const std::string& v) { c.socket_mode = parse_mode(v); }},
      {"workers", "how many tasks may run at once",
       [](Config& c, const std::string& v) { c.workers = parse_workers(v); }},
      {"log_level", "debug, info, warn or error",
       [](Config& c, const std::string& v) { c.log_level = parse_log_level(v); }},
      {"log_to", "auto, stderr or journal",
       [](Config& c, const std::string& v) { c.log_to = parse_log_to(v); }},
      {"output_cap", "output kept per stream and attempt, such as 64MiB",
       [](Config& c, const std::string& v) {
         c.output_cap_bytes = size_bytes(v);
         if (c.output_cap_bytes < 64 << 10) wrong_value("expected at least 64KiB");
       }},
      {"ballast", "disk space reserved for when the disk is full, such as 16MiB",
       [](Config& c, const std::string& v) { c.ballast_bytes = size_bytes(v); }},
      {"shim", "path of the taskd-shim program",
       [](Config& c, const std::string& v) {
         c.shim = absolute_path(v);
         if (const auto why = who_may_change(c.shim)) wrong_value(*why);
       },
       true},
      {"cgroup", "auto, off, or a delegated cgroup v2 folder for the jobs",
       [](Config& c, const std::string& v) { c.cgroup = parse_cgroup(v); }},
      {"handlers_only", "true: accept only declared handlers, no commands",
       [](Config& c, const std::string& v) { c.handlers.only = parse_truth(v); }},
  };
  return table;
}

std::string in_environment(const Setting& setting) {
  std::string name = "TASKD_";
  for (const char* p = setting.key; *p != '\0'; ++p) {
    name += static_cast<char>(std::toupper(static_cast<unsigned char>(*p)));
  }
  return name;
}

std::string as_flag(const Setting& setting) {
  std::string name = "--" + std::string(setting.key);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

void apply(const Setting& setting, Config& config, const std::string& value,
           const std::string& place, int exit_code) {
  try {
    setting.set(config, value);
  } catch (const std::invalid_argument& e) {
    throw UsageError(exit_code, place + " = \"" + escape_for_humans(value) + "\": " + e.what());
  }
}

// For a flag or a variable. The file may not use relative paths, since the daemon may start in any
// folder.
void apply_here(const Setting& setting, Config& config, const std::string& value,
                const std::string& place, int exit_code) {
  if (!setting.is_path || value.empty() || value.front() == '/')
    return apply(setting, config, value, place, exit_code);
  char here[PATH_MAX];
  if (::getcwd(here, sizeof here) == nullptr)
    throw UsageError(exit_code, place + " = \"" + escape_for_humans(value) +
                                    "\": the current folder is unknown; write an absolute path");
  apply(setting, config, std::string(here) + (std::string_view(here) == "/" ? "" : "/") + value,
        place, exit_code);
}

std::string env_or(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value == '/' ? value : fallback;
}

std::string home_folder() {
  const std::string home = env_or("HOME", "");
  if (home.empty()) {
    throw UsageError(EX_CONFIG, "HOME is not set; name the state directory with --state-dir");
  }
  return home;
}

// Next to taskd, installed or built.
std::string default_shim() {
  char self[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", self, sizeof self);
  if (n <= 0) return "";
  std::string path(self, static_cast<std::size_t>(n));
  path.resize(path.rfind('/') + 1);
  return path + "taskd-shim";
}

Config defaults() {
  Config config;
  if (::geteuid() == 0) {
    config.state_dir = "/var/lib/taskctl";
    config.socket = "/run/taskctl/taskctl.sock";
  } else {
    const std::string runtime = env_or("XDG_RUNTIME_DIR", "");
    const char* state_home = std::getenv("XDG_STATE_HOME");
    config.state_dir =
        (state_home != nullptr && *state_home == '/' ? state_home
                                                     : home_folder() + "/.local/state") +
        std::string("/taskctl");
    config.socket =
        runtime.empty() ? config.state_dir + "/taskctl.sock" : runtime + "/taskctl/taskctl.sock";
  }
  config.workers = std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
  config.shim = default_shim();
  return config;
}

bool same_path(const std::string& a, const std::string& b) {
  return (std::filesystem::path(a) / "").lexically_normal() ==
         (std::filesystem::path(b) / "").lexically_normal();
}

std::string default_config_file() {
  if (::geteuid() == 0) return "/etc/taskctl/taskctl.toml";
  const std::string base = env_or("XDG_CONFIG_HOME", "");
  if (!base.empty()) return base + "/taskctl/taskctl.toml";
  const std::string home = env_or("HOME", "");
  return home.empty() ? "" : home + "/.config/taskctl/taskctl.toml";
}

std::string value_text(const toml::node& node, const std::string& place) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  refuse(place, "expected a string, a whole number, true or false");
}

struct ConfigFile {
  std::string name;
  toml::table document;
};

toml::table parse_file(const std::string& file, const std::string& text) {
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& e) {
    throw UsageError(EX_CONFIG, file + ":" + std::to_string(e.source().begin.line) + ": " +
                                    std::string(e.description()));
  }
}

void read_file_settings(const ConfigFile& file, Config& config) {
  for (const auto& [key, node] : file.document) {
    const std::string name(key.str());
    if (is_table(name)) continue;
    const auto& table = settings();
    const auto setting =
        std::find_if(table.begin(), table.end(), [&](const Setting& s) { return name == s.key; });
    const std::string place = place_of(file.name, node, escape_for_humans(name));
    if (setting == table.end()) refuse(place, "unknown setting");
    apply(*setting, config, value_text(node, place), place, EX_CONFIG);
  }
}

// `required`: the user named the file, so a missing one is an error.
std::optional<ConfigFile> read_config_file(const std::string& file, bool required) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  std::optional<std::string> text;
  try {
    struct stat st {};
    if (::stat(file.c_str(), &st) == 0) {
      if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
        throw UsageError(EX_CONFIG, file + " is not a file");
    }
    if (const auto why = who_may_change(file)) throw UsageError(EX_CONFIG, *why);
    text = read_file(file, kMaxBytes + 1);
  } catch (const std::system_error& e) {
    throw UsageError(EX_CONFIG, std::string("cannot read the configuration: ") + e.what());
  }
  if (!text) {
    if (required) throw UsageError(EX_CONFIG, "there is no configuration file " + file);
    return std::nullopt;
  }
  if (text->size() > kMaxBytes) throw UsageError(EX_CONFIG, file + " is larger than 1 MiB");
  return ConfigFile{file, parse_file(file, *text)};
}

}  // namespace

CommandLine load_config(int argc, char** argv) {
  CommandLine line;
  CLI::App app{
      "taskd runs tasks that survive crashes and reboots. It stays in the foreground;\n"
      "taskctl's other verbs talk to it. Every setting can also be in the configuration file\n"
      "(TOML, without the dashes: state_dir = \"/srv/taskctl\") or in the environment\n"
      "(TASKD_STATE_DIR). A flag overrides a variable, a variable the file."};
  app.name("taskctl daemon");
  app.set_help_flag();
  app.allow_extras();  // CLI11's own message lists them in reverse
  std::string config_file;
  bool help = false;
  bool version = false;
  bool check = false;
  bool init = false;
  bool adopt = false;
  app.add_flag("-h,--help", help, "show this help");
  app.add_flag("--version", version, "show the version");
  app.add_flag("--check-config", check, "print the effective settings and exit: 0 valid, 78 not");
  CLI::Option* make = app.add_flag("--init", init, "create an empty store in the state directory");
  app.add_flag("--adopt-copy", adopt,
               "turn the copied store in the state directory into one of its own")
      ->excludes(make);
  app.add_option("--config", config_file, "the configuration file (TASKD_CONFIG)")
      ->type_name("FILE");
  std::vector<std::string> flags(settings().size());
  std::vector<CLI::Option*> options;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    const Setting& setting = settings()[i];
    options.push_back(app.add_option(as_flag(setting), flags[i], setting.help)->type_name("VALUE"));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    throw UsageError(EX_USAGE, std::string(e.what()) + "\nTry: taskctl daemon --help");
  }
  if (const std::vector<std::string> extras = app.remaining(); !extras.empty()) {
    std::string words;
    for (const std::string& extra : extras) words += " " + escape_for_humans(extra);
    throw UsageError(EX_USAGE, "unknown argument" + std::string(extras.size() > 1 ? "s:" : ":") +
                                   words + "\nTry: taskctl daemon --help");
  }
  if (help || version) {
    line.mode = help ? Mode::help : Mode::version;
    line.help = app.help();
    return line;
  }

  if (init) line.mode = Mode::init;
  if (adopt) line.mode = Mode::adopt_copy;
  if (check) line.mode = Mode::check_config;
  line.config = defaults();
  const std::string default_state_dir = line.config.state_dir;
  const char* named = std::getenv("TASKD_CONFIG");
  const bool required = !config_file.empty() || (named != nullptr && *named != '\0');
  if (config_file.empty()) config_file = required ? named : default_config_file();
  std::optional<ConfigFile> file;
  if (!config_file.empty()) file = read_config_file(config_file, required);
  if (file) line.config.config_file = file->name;
  if (file) read_file_settings(*file, line.config);

  for (const Setting& setting : settings()) {
    const std::string name = in_environment(setting);
    const char* value = std::getenv(name.c_str());
    if (value != nullptr) apply_here(setting, line.config, value, name, EX_CONFIG);
  }
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (options[i]->count() > 0) {
      apply_here(settings()[i], line.config, flags[i], as_flag(settings()[i]), EX_USAGE);
    }
  }
  line.config.default_state_dir = same_path(line.config.state_dir, default_state_dir);
  if (file) read_tables(file->name, file->document, line.config);
  line.config.cgroup = resolve_cgroup(line.config.cgroup);
  return line;
}

std::string describe(const Config& config) {
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", config.socket_mode);
  std::string out;
  const auto text = [&out](const char* key, std::string_view value) {
    out += std::string(key) + " = \"" + escape_for_humans(value) + "\"\n";
  };
  if (!config.config_file.empty()) out += "# from " + escape_for_humans(config.config_file) + "\n";
  text("state_dir", config.state_dir);
  text("socket", config.socket);
  text("socket_mode", mode);
  out += "workers = " + std::to_string(config.workers) + "\n";
  text("log_level", name_of(config.log_level));
  text("log_to", name_of(config.log_to));
  text("output_cap", std::to_string(config.output_cap_bytes));
  text("ballast", std::to_string(config.ballast_bytes));
  text("shim", config.shim);
  text("cgroup", config.cgroup.empty() ? "off" : config.cgroup);
  out += std::string("handlers_only = ") + (config.handlers.only ? "true" : "false") + "\n";
  for (const QueuePatch& queue : config.queues) out += describe_queue(queue);
  for (const auto& [name, handler] : config.handlers.declared) {
    out += describe_handler(name, handler);
  }
  for (const Hook& hook : config.hooks) out += describe_hook(hook);
  out += describe_resources(config.resources);
  return out;
}

}  // namespace taskd
