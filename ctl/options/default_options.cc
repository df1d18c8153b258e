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

struct DefaultOption {
  std::string_view name;   // of the option, without "--"
  std::string_view field;  // JSON pointer of what it sets
  bool of_queues = true;   // else a handler alone has a default for it
};
constexpr DefaultOption kOptions[] = {
    {"queue", "/queue", false},
    {"priority", "/priority"},
    {"timeout", "/timeout_ms"},
    {"progress-timeout", "/progress_timeout_ms"},
    {"grace", "/grace_ms"},
    {"max-attempts", "/max_attempts"},
    {"backoff", "/backoff/kind"},
    {"retry-delay", "/backoff/initial_ms"},
    {"retry-max-delay", "/backoff/max_ms"},
    {"jitter", "/backoff/jitter", false},  // only the API and taskctl.toml have it
    {"retry-on", "/retry_on"},
    {"no-retry-on", "/no_retry_on"},
    {"on-lost", "/on_lost"},
    {"max-lost", "/max_lost"},
    {"on-bad-result", "/on_bad_result"},
    {"keep", "/keep_ms"},
    {"key", "/key"},
    {"key-limit", "/key/limit"},
    {"key-rate", "/key/rate"},
    {"slots", "/slots"},
    {"resource", "/resources"},
    {"label", "/labels"},
    {"on-dependency-failed", "/on_dependency_failed"},
    {"notify", "/notify", false},
};

const DefaultOption& option_named(std::string_view flag, const std::string& name) {
  std::string all;
  for (const DefaultOption& known : kOptions) {
    if (!known.of_queues) continue;
    if (known.name == name) return known;
    all += (all.empty() ? "" : ", ") + std::string(known.name);
  }
  throw UsageError(kExitUsage, std::string(flag) + ": " + in_quotes(name) +
                                   " is not an option with a default of a queue; those are " + all);
}

// What `edit` makes of these options of `submit`.
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

std::string option_text(const DefaultOption& option, const json& value) {
  const std::string name = std::string(option.name) + "=";
  if (option.field == "/key") return name + text_of(value.value("name", json()));
  if (option.field == "/key/rate") return name + format_rate(rate_from_json(value));
  if (option.field.ends_with("_ms") && value.is_number_integer())
    return name + format_duration_ms(value.get<std::int64_t>());
  if (value.is_object()) return members_text(option.name, value);
  return name + (value.is_array() ? list_text(value) : text_of(value));
}

}  // namespace

json defaults_patch(Context& context, const std::vector<std::string>& set,
                    const std::vector<std::string>& unset) {
  std::vector<std::string> words;
  std::vector<std::string> cleared = unset;
  for (const std::string& text : set) {
    const auto [name, value] = key_and_value("--default", checked("--default", text));
    option_named("--default", name);
    if (value.empty())
      cleared.push_back(name);
    else
      words.push_back("--" + name + "=" + value);
  }
  json patch = words.empty() ? json::object() : patch_of_options(context, words);
  for (const std::string& name : cleared) {
    const json::json_pointer field{std::string(option_named("--no-default", name).field)};
    patch[field] = nullptr;
  }
  return patch;
}

std::string describe_defaults(const json& defaults) {
  std::string out;
  for (const DefaultOption& option : kOptions) {
    const json::json_pointer field{std::string(option.field)};
    if (!defaults.contains(field) || defaults.at(field).is_null()) continue;
    out += (out.empty() ? "" : " ") + option_text(option, defaults.at(field));
  }
  return out;
}

}  // namespace taskd::ctl
