#include "daemon/config/task_options.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "daemon/config/config_error.h"
#include "daemon/task/start_constraints_json.h"
#include "daemon/task/task_option.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::string_view kMs = "_ms";

json to_json(const toml::node& node, const std::string& where) {
  if (const auto* table = node.as_table()) {
    json out = json::object();
    for (const auto& [key, value] : *table) out[std::string(key.str())] = to_json(value, where);
    return out;
  }
  if (const auto* array = node.as_array()) {
    json out = json::array();
    for (const toml::node& item : *array) out.push_back(to_json(item, where));
    return out;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  refuse(where, "a date or time is no value here");
}

json time_of(const toml::node& node, const std::string& where) {
  const auto* text = node.as_string();
  const auto ms = text == nullptr ? std::nullopt : parse_duration_ms(text->get());
  if (!ms) refuse(where, "expected a time such as \"90s\", \"15m\" or \"1h30m\"");
  return *ms;
}

// The JSON for a setting's value.
json value_of(const toml::node& node, const std::string& where, FlagText text) {
  if (text == FlagText::time) return time_of(node, where);
  json value = to_json(node, where);
  if (text == FlagText::rate) {
    const auto limit = value.is_string() ? parse_rate(value.get<std::string>()) : std::nullopt;
    if (!limit) refuse(where, "expected a count and a time, such as \"10/1m\"");
    return rate_to_json(*limit);
  }
  if (text != FlagText::amounts || !value.is_object()) return value;
  for (auto& [name, amount] : value.items()) {
    if (!amount.is_string()) continue;
    const auto size = parse_size_bytes(amount.get<std::string>());
    if (!size)
      refuse(where + "." + escape_for_humans(name), "expected a count, or a size such as \"8G\"");
    amount = *size;
  }
  return value;
}

// An option that is an object; some of its members are texts in the file.
json members_of(const TaskOption& option, const toml::table& table, const std::string& where) {
  json out = json::object();
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const std::string place = where + "." + escape_for_humans(name);
    if (name.ends_with(kMs)) refuse(place, "unknown setting");
    const auto flag = std::find_if(
        option.flags.begin(), option.flags.end(), [&](const OptionFlag& one) {
          return !one.member.empty() && without_unit(one.member) == name;
        });
    const bool is_known = flag != option.flags.end();
    out[is_known ? std::string(flag->member) : name] =
        value_of(node, place, is_known ? flag->text : FlagText::text);
  }
  return out;
}

// "#/backoff/max_ms" -> "backoff.max".
std::string setting_of(const std::string& pointer) {
  std::string out;
  std::size_t at = pointer.find('/');
  while (at != std::string::npos) {
    const std::size_t next = pointer.find('/', at + 1);
    out += (out.empty() ? "" : ".") + std::string(without_unit(pointer.substr(at + 1, next - at - 1)));
    at = next;
  }
  return out;
}

json as_written(const std::string& name, const json& value) {
  if (name.ends_with(kMs) && value.is_number_integer())
    return format_duration_ms(value.get<std::int64_t>());
  if (name == "rate" && value.is_object()) return format_rate(rate_from_json(value));
  return value;
}

bool is_bare_key(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string toml_key(const std::string& name) {
  return is_bare_key(name) ? name : toml_text(name);
}

// The members of `labels` and `resources` are names and stay as they are.
std::string toml_members(const json& object, bool are_names) {
  std::string out;
  for (const auto& [name, value] : object.items()) {
    out += (out.empty() ? "" : ", ") + toml_key(are_names ? name : std::string(without_unit(name))) + " = " +
           toml_value(are_names ? value : as_written(name, value));
  }
  return out.empty() ? "{}" : "{ " + out + " }";
}

}  // namespace

void read_task_option(const std::string& key, const toml::node& value, const std::string& where,
                      json& options) {
  if (key.ends_with(kMs)) refuse(where, "unknown setting");
  const auto options_of_task = task_options();
  const auto option = std::find_if(
      options_of_task.begin(), options_of_task.end(),
      [&](const TaskOption& one) {
        return one.kept != Kept::start && without_unit(one.field) == key;
      });
  const bool is_known = option != options_of_task.end();
  const bool has_members = is_known && !option->flags[0].member.empty();
  if (!is_known || (has_members && !value.is_table())) {
    options[key] = to_json(value, where);  // rejected with the other errors
  } else if (has_members) {
    options[key] = members_of(*option, *value.as_table(), where);
  } else {
    options[std::string(option->field)] = value_of(value, where, option->flags[0].text);
  }
}

json read_task_defaults(DefaultsOf owner, const std::string& file, const toml::table& table,
                        const std::string& name, const Machine& machine) {
  json options = json::object();
  for (const auto& [key, value] : table) {
    const std::string setting(key.str());
    read_task_option(setting, value, place_of(file, value, name + "." + escape_for_humans(setting)),
                     options);
  }
  check_task_options(owner, file, table, name, options, machine);
  return options;
}

void check_task_options(DefaultsOf owner, const std::string& file, const toml::table& table,
                        const std::string& name, const json& options, const Machine& machine) {
  refuse_wrong_options(file, table, name, check_task_defaults(owner, options, "#"));
  const auto unmet = find_unmet(machine, demand_of(spec_with_defaults(options).constraints));
  if (!unmet) return;
  if (unmet->empty()) {
    refuse(place_of(file, *table.get("slots"), name + ".slots"),
           "the daemon has " + std::to_string(machine.slots) + " workers");
  }
  refuse(place_of(file, *table.get("resources"), name + ".resources." + *unmet),
         "[resources] does not have that much of it");
}

void refuse_wrong_options(const std::string& file, const toml::table& table,
                          const std::string& name, const FieldErrors& errors) {
  if (errors.empty()) return;
  const FieldError& error = errors.front();
  const std::string setting = setting_of(error.pointer);
  const toml::node* node = table.get(setting.substr(0, setting.find('.')));
  const auto line = (node == nullptr ? table.source() : node->source()).begin.line;
  const bool unknown = error.detail.starts_with("unknown field");
  const bool is_time = error.pointer.ends_with(kMs);
  refuse(file + ":" + std::to_string(line) + ": " + name + (setting.empty() ? "" : ".") +
             escape_for_humans(setting),
         unknown ? "unknown setting" : error.detail + (is_time ? " milliseconds" : ""));
}

std::string describe_task_options(const json& options) {
  std::string out;
  for (const auto& [name, value] : options.items()) {
    out += std::string(without_unit(name)) + " = ";
    out += value.is_object() ? toml_members(value, name == "labels" || name == "resources")
                             : toml_value(as_written(name, value));
    out += "\n";
  }
  return out;
}

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += "\\u00" + to_hex({&c, 1});
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string toml_value(const json& value) {
  if (value.is_string()) return toml_text(value.get<std::string>());
  if (value.is_object()) return toml_members(value, /*are_names=*/true);
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const json& item : value) out += (out.empty() ? "" : ", ") + toml_value(item);
  return "[" + out + "]";
}

}  // namespace taskd
