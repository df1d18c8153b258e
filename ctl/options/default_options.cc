#include "ctl/options/default_options.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"
#include "ctl/options/flag_values.h"
#include "ctl/options/submit_options.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/start_constraints_json.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

// One flag of an option that may have a default.
struct DefaultFlag {
  const TaskOption* option;
  const OptionFlag* flag;

  // Without "--"; for a setting without a flag, its member.
  std::string_view name() const {
    return flag->names.empty() ? flag->member : flag->long_name().substr(2);
  }
  // The field that it sets. --key names the whole field, since its limits are useless without the
  // name.
  json::json_pointer field() const {
    const std::string whole = "/" + std::string(option->field);
    const bool is_whole = flag->member.empty() || name() == option->field;
    return json::json_pointer(is_whole ? whole : whole + "/" + std::string(flag->member));
  }
};

std::vector<DefaultFlag> default_flags() {
  std::vector<DefaultFlag> flags;
  for (const TaskOption& option : task_options()) {
    if (option.default_of == DefaultOf::nothing) continue;
    for (const OptionFlag& flag : option.flags) {
      if (!flag.names.empty() || !flag.member.empty()) flags.push_back({&option, &flag});
    }
  }
  return flags;
}

DefaultFlag flag_named(std::string_view of, const std::string& name) {
  std::string all;
  for (const DefaultFlag& known : default_flags()) {
    if (known.option->default_of != DefaultOf::queue_and_handler || known.flag->names.empty())
      continue;
    if (known.name() == name) return known;
    all += (all.empty() ? "" : ", ") + std::string(known.name());
  }
  throw UsageError(kExitUsage,
                   std::string(of) + ": " + in_quotes(name) +
                       " is not an option that a queue can set a default for; these are: " + all);
}

// The patch that `edit` would send for these options of `submit`.
json patch_of_options(Context& context, const std::vector<std::string>& words) {
  SubmitOptions options;
  Args args("queue set", HelpText{});
  options.declare(args);
  args.parse(words, context.out);
  return options.to_patch(context);
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string list_text(const json& list) {
  std::string out;
  for (const json& item : list) out += (out.empty() ? "" : ",") + text_of(item);
  return out;
}

// "label=a=1 label=b=2".
std::string members_text(std::string_view name, const json& object) {
  std::string out;
  for (const auto& [member, value] : object.items()) {
    out += (out.empty() ? "" : " ") + std::string(name) + "=" + member + "=" + text_of(value);
  }
  return out;
}

std::string flag_text(const DefaultFlag& known, const json& value) {
  const std::string name = std::string(known.name()) + "=";
  if (known.name() == known.option->field && !known.flag->member.empty())
    return name + text_of(value.value(known.flag->member, json()));
  if (known.flag->text == FlagText::rate) return name + format_rate(rate_from_json(value));
  if (known.flag->text == FlagText::time && value.is_number_integer())
    return name + format_duration_ms(value.get<std::int64_t>());
  if (value.is_object()) return members_text(known.name(), value);
  return name + (value.is_array() ? list_text(value) : text_of(value));
}

}  // namespace

json defaults_patch(Context& context, const std::vector<std::string>& set,
                    const std::vector<std::string>& unset) {
  std::vector<std::string> words;
  std::vector<std::string> cleared = unset;
  for (const std::string& text : set) {
    const auto [name, value] = key_and_value("--default", checked("--default", text));
    flag_named("--default", name);
    if (value.empty())
      cleared.push_back(name);
    else
      words.push_back("--" + name + "=" + value);
  }
  json patch = words.empty() ? json::object() : patch_of_options(context, words);
  for (const std::string& name : cleared) {
    patch[flag_named("--no-default", name).field()] = nullptr;
  }
  return patch;
}

std::string describe_defaults(const json& defaults) {
  std::string out;
  for (const DefaultFlag& known : default_flags()) {
    const json::json_pointer field = known.field();
    if (!defaults.contains(field) || defaults.at(field).is_null()) continue;
    out += (out.empty() ? "" : " ") + flag_text(known, defaults.at(field));
  }
  return out;
}

}  // namespace taskd::ctl
