#include "daemon/config/handlers.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/api/http/users.h"
#include "daemon/base/text.h"
#include "daemon/config/config_error.h"
#include "daemon/config/file_permissions.h"
#include "daemon/config/hooks.h"
#include "daemon/config/task_options.h"
#include "daemon/process/user.h"

namespace taskd {
namespace {

using nlohmann::json;

std::uint32_t user_of(const toml::node& node, const std::string& where) {
  const auto* text = node.as_string();
  const auto* number = node.as_integer();
  if (text == nullptr && number == nullptr) refuse(where, "expected a user's name or uid");
  const std::string name = text != nullptr ? text->get() : std::to_string(number->get());
  const auto uid = find_uid(name);
  if (!uid || !uid_exists(*uid)) refuse(where, "there is no user " + escape_for_humans(name));
  if (::geteuid() != 0 && *uid != ::geteuid())
    refuse(where, "only a daemon run by root can run tasks as another user");
  return *uid;
}

// The settings of one table, as task fields.
struct Settings {
  json command = json::object();  // argv or shell, env, cwd, umask: the command
  json options = json::object();
  std::optional<std::uint32_t> user_uid;
};

Settings read_settings(const std::string& file, const std::string& name, const toml::table& table) {
  Settings settings;
  for (const auto& [key, value] : table) {
    const std::string setting(key.str());
    const std::string where = place_of(file, value, name + "." + escape_for_humans(setting));
    if (setting == "user") {
      settings.user_uid = user_of(value, where);
    } else if (setting == "command") {
      read_task_option("argv", value, where, settings.command);
    } else if (setting == "shell" || setting == "env" || setting == "cwd" || setting == "umask") {
      read_task_option(setting, value, where, settings.command);
    } else if (setting == "argv") {
      refuse(where, "unknown setting; did you mean \"command\"?");
    } else {
      read_task_option(setting, value, where, settings.options);
    }
  }
  return settings;
}

// Reads the command. Errors name the settings' places.
TaskSpec read_command(const std::string& file, const std::string& name, const toml::table& table,
                      const json& command) {
  if (command.contains("argv") == command.contains("shell"))
    refuse(place_of(file, table, name), "exactly one of \"command\" and \"shell\" is needed");
  auto read = new_task_from_json(command);
  if (auto* errors = std::get_if<FieldErrors>(&read)) {
    for (FieldError& error : *errors) {
      constexpr std::string_view kArgv = "#/argv";
      if (error.pointer.starts_with(kArgv))
        error.pointer = "#/command" + error.pointer.substr(kArgv.size());
    }
    refuse_wrong_options(file, table, name, *errors);
  }
  return std::get<NewTask>(std::move(read)).spec;
}

// Nobody else may be able to change a program that runs as the daemon's user, or as its submitter.
// A program that a handler's own user can change runs as that user.
void check_program(const std::string& file, const std::string& name, const toml::table& table,
                   const Handler& handler) {
  const bool is_path = !handler.argv.empty() && handler.argv.front().starts_with('/');
  const bool as_itself = handler.user_uid && handler.user_uid != 0;
  if (!is_path || (as_itself && ::geteuid() == 0)) return;
  if (const auto why = who_may_change(handler.argv.front()))
    refuse(place_of(file, *table.get("command"), name + ".command"), *why);
}

void check_options(const std::string& file, const std::string& name, const toml::table& table,
                   const json& options, const std::vector<Hook>& hooks, const Machine& machine) {
  check_task_options(DefaultsOf::handler, file, table, name, options, machine);
  if (const toml::node* notify = table.get("notify"))
    check_notify(spec_with_defaults(options).notify, hooks,
                 place_of(file, *notify, name + ".notify"));
}

Handler read_handler(const std::string& file, const std::string& name, const toml::node& node,
                     const std::vector<Hook>& hooks, const Machine& machine) {
  const std::string shown = "handlers." + escape_for_humans(name);
  const auto* table = node.as_table();
  if (table == nullptr) refuse(place_of(file, node, shown), "expected a table");
  if (!is_valid_queue_name(name)) {
    refuse(place_of(file, node, shown),
           "a handler's name is 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter "
           "or digit");
  }
  const Settings settings = read_settings(file, shown, *table);
  TaskSpec spec = read_command(file, shown, *table, settings.command);
  check_options(file, shown, *table, settings.options, hooks, machine);
  Handler handler;
  handler.argv = std::move(spec.argv);
  handler.shell = std::move(spec.shell);
  handler.env = std::move(spec.env);
  handler.cwd = std::move(spec.cwd);
  handler.umask = spec.process.umask;
  handler.user_uid = settings.user_uid;
  if (handler.user_uid) {
    if (const auto entry = find_entry(*handler.user_uid)) handler.user_name = entry->name;
  }
  handler.defaults = settings.options.dump();
  check_program(file, shown, *table, handler);
  return handler;
}

}  // namespace

std::map<std::string, Handler> read_handlers(const std::string& file, const toml::node& handlers,
                                             const std::vector<Hook>& hooks,
                                             const Machine& machine) {
  const auto* table = handlers.as_table();
  if (table == nullptr)
    refuse(place_of(file, handlers, "handlers"), "expected tables [handlers.NAME]");
  std::map<std::string, Handler> out;
  for (const auto& [key, node] : *table) {
    const std::string name(key.str());
    out[name] = read_handler(file, name, node, hooks, machine);
  }
  return out;
}

std::string describe_handler(const std::string& name, const Handler& handler) {
  std::string out =
      "\n[handlers." + (name.find('.') == std::string::npos ? name : toml_text(name)) + "]\n";
  out += handler.argv.empty() ? "shell = " + toml_text(handler.shell)
                              : "command = " + toml_value(handler.argv);
  out += "\n";
  if (!handler.env.empty()) {
    json env = json::object();
    for (const auto& [variable, value] : handler.env) env[variable] = "***";
    out += "env = " + toml_value(env) + "\n";
  }
  if (!handler.cwd.empty()) out += "cwd = " + toml_text(handler.cwd) + "\n";
  if (handler.umask != kDefaultUmask)
    out += "umask = " + toml_text(format_umask(handler.umask)) + "\n";
  if (handler.user_uid) out += "user = " + std::to_string(*handler.user_uid) + "\n";
  return out + describe_task_options(json::parse(handler.defaults));
}

}  // namespace taskd
