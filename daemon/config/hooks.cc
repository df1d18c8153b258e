#include "daemon/config/hooks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "daemon/base/text.h"
#include "daemon/base/unique_fd.h"
#include "daemon/config/config_error.h"
#include "daemon/config/file_permissions.h"
#include "daemon/hooks/hook_url.h"
#include "daemon/store/task_store.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

constexpr std::int64_t kMinTimeoutMs = 100;
constexpr std::int64_t kMinAgeMs = 1000;
constexpr std::size_t kMaxSecretBytes = 4096;
constexpr std::size_t kMinSecretBytes = 16;

std::string text_of(const toml::node& node, const std::string& where) {
  const auto* text = node.as_string();
  if (text == nullptr || text->get().empty()) refuse(where, "expected a string");
  if (text->get().find('\0') != std::string::npos) refuse(where, "a string cannot contain NUL");
  return text->get();
}

std::vector<std::string> texts_of(const toml::node& node, const std::string& where) {
  const auto* array = node.as_array();
  if (array == nullptr || array->empty()) refuse(where, "expected an array of strings");
  std::vector<std::string> texts;
  for (const toml::node& item : *array) texts.push_back(text_of(item, where));
  return texts;
}

std::int64_t duration_of(const toml::node& node, const std::string& where, std::int64_t least,
                         std::int64_t most) {
  const auto* text = node.as_string();
  const auto ms = text == nullptr ? std::nullopt : parse_duration_ms(text->get());
  if (ms && *ms >= least && *ms <= most) return *ms;
  refuse(where, "expected a time from \"" + format_duration_ms(least) + "\" to \"" +
                    format_duration_ms(most) + "\"");
}

std::vector<std::string> command_of(const toml::node& node, const std::string& where) {
  std::vector<std::string> command = texts_of(node, where);
  if (command[0].front() != '/') refuse(where, "the program must have an absolute path");
  if (::access(command[0].c_str(), X_OK) != 0) {
    refuse(where, "cannot run " + escape_for_humans(command[0]) + ": " + std::strerror(errno));
  }
  if (const auto why = who_may_change(command[0])) refuse(where, *why);
  return command;
}

HookEvents events_of(const toml::node& node, const std::string& where) {
  HookEvents events;
  for (const std::string& word : texts_of(node, where)) {
    const auto event = parse_hook_event(word);
    if (!event) {
      HookEvents all;
      for (const HookEvent known : kAllHookEvents) all.add(known);
      refuse(where, "\"" + escape_for_humans(word) + "\" is not an event; the events are " +
                        format_hook_events(all));
    }
    events.add(*event);
  }
  return events;
}

std::string secret_in(const std::string& path, const std::string& where) {
  const std::string shown = escape_for_humans(path);
  if (path.front() != '/') refuse(where, "expected an absolute path");
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) refuse(where, "cannot open " + shown + ": " + std::strerror(errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
    refuse(where, shown + " is not a regular file");
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    refuse(where, shown + " belongs to another user");
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    refuse(where, shown + " may be read by others: chmod 600 it first");
  }
  if (const auto why = who_may_change(path)) refuse(where, *why);
  std::string secret(kMaxSecretBytes + 1, '\0');
  const ssize_t got = ::read(fd.get(), secret.data(), secret.size());
  if (got < 0) refuse(where, "cannot read " + shown + ": " + std::strerror(errno));
  secret.resize(static_cast<std::size_t>(got));
  if (secret.size() > kMaxSecretBytes) {
    refuse(where, shown + " has more than " + std::to_string(kMaxSecretBytes) + " bytes");
  }
  while (secret.ends_with('\n') || secret.ends_with('\r')) secret.pop_back();
  if (secret.size() < kMinSecretBytes) {
    refuse(where, "the secret in " + shown + " has less than " + std::to_string(kMinSecretBytes) +
                      " bytes");
  }
  return secret;
}

void read_setting(const std::string& key, const toml::node& value, const std::string& where,
                  Hook& hook) {
  if (key == "command") {
    hook.command = command_of(value, where);
  } else if (key == "url") {
    hook.url = text_of(value, where);
    const auto url = parse_hook_url(hook.url);
    if (const auto* wrong = std::get_if<std::string>(&url)) refuse(where, *wrong);
  } else if (key == "secret_file") {
    hook.secret_file = text_of(value, where);
    hook.secret = secret_in(hook.secret_file, where);
  } else if (key == "on") {
    hook.on = events_of(value, where);
  } else if (key == "timeout") {
    hook.timeout_ms = duration_of(value, where, kMinTimeoutMs, kMaxHookTimeoutMs);
  } else if (key == "max_age") {
    hook.max_age_ms = duration_of(value, where, kMinAgeMs, kMaxDurationMs);
  } else if (key == "max_attempts") {
    const auto* number = value.as_integer();
    if (number == nullptr || number->get() < 1 || number->get() > kMaxHookAttempts) {
      refuse(where, "expected a whole number from 1 to " + std::to_string(kMaxHookAttempts));
    }
    hook.max_attempts = static_cast<int>(number->get());
  } else {
    refuse(where, "unknown setting");
  }
}

Hook read_hook(const std::string& file, const std::string& name, const toml::node& node) {
  const std::string place = place_of(file, node, "hooks." + escape_for_humans(name));
  const auto* table = node.as_table();
  if (table == nullptr) refuse(place, "expected a table");
  if (!is_valid_queue_name(name)) {
    refuse(place,
           "a hook's name is 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter "
           "or digit");
  }
  Hook hook;
  hook.name = name;
  for (const auto& [key, value] : *table) {
    const std::string setting(key.str());
    read_setting(setting, value,
                 place_of(file, value, "hooks." + name + "." + escape_for_humans(setting)), hook);
  }
  if (hook.command.empty() == hook.url.empty()) {
    refuse(place, "exactly one of \"command\" and \"url\" is needed");
  }
  if (hook.url.empty() && !hook.secret_file.empty()) {
    refuse(place, "\"secret_file\" belongs to \"url\"; leave it out");
  }
  return hook;
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : escape_for_humans(text)) {
    if (c == '"') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string array_of(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? ", " : "") + toml_string(text);
  return out + "]";
}

}  // namespace

std::vector<Hook> read_hooks(const std::string& file, const toml::node& hooks) {
  const auto* table = hooks.as_table();
  if (table == nullptr) refuse(place_of(file, hooks, "hooks"), "expected tables [hooks.NAME]");
  std::vector<Hook> list;
  for (const auto& [name, node] : *table) {
    list.push_back(read_hook(file, std::string(name.str()), node));
  }
  if (list.size() > kMaxHooks) {
    refuse(place_of(file, hooks, "hooks"),
           "at most " + std::to_string(kMaxHooks) + " hooks are allowed");
  }
  return list;
}

std::vector<Notify> read_notify_setting(const toml::node& node, const std::string& where) {
  std::vector<Notify> list;
  const auto* array = node.as_array();
  if (array != nullptr && array->empty()) return list;
  for (const std::string& text : texts_of(node, where)) {
    auto notify = parse_notify(text);
    if (const auto* wrong = std::get_if<std::string>(&notify)) refuse(where, *wrong);
    list.push_back(std::get<Notify>(std::move(notify)));
  }
  if (list.size() > kMaxNotify) {
    refuse(where, "at most " + std::to_string(kMaxNotify) + " entries are allowed");
  }
  return list;
}

void check_notify(const std::vector<Notify>& list, const std::vector<Hook>& hooks,
                  const std::string& where) {
  for (const Notify& notify : list) {
    const bool known = std::any_of(hooks.begin(), hooks.end(),
                                   [&](const Hook& hook) { return hook.name == notify.hook; });
    if (!known) refuse(where, "there is no [hooks." + notify.hook + "]");
  }
}

std::string describe_hook(const Hook& hook) {
  std::string out = "\n[hooks." + hook.name + "]\n";
  if (hook.url.empty()) {
    out += "command = " + array_of(hook.command) + "\n";
  } else {
    out += "url = " + toml_string(hook.url) + "\n";
  }
  if (!hook.secret_file.empty()) {
    out += "secret_file = " + toml_string(hook.secret_file) + "\n";
  }
  std::vector<std::string> on;
  for (const HookEvent event : kAllHookEvents) {
    if (hook.on.contains(event)) on.emplace_back(to_string(event));
  }
  out += "on = " + array_of(on) + "\n";
  out += "timeout = " + toml_string(format_duration_ms(hook.timeout_ms)) + "\n";
  out += "max_age = " + toml_string(format_duration_ms(hook.max_age_ms)) + "\n";
  if (hook.max_attempts > 0) out += "max_attempts = " + std::to_string(hook.max_attempts) + "\n";
  return out;
}

std::string describe_notify(const std::vector<Notify>& list) {
  return array_of(format_notify(list));
}

}  // namespace taskd
