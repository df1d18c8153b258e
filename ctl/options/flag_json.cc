#include "ctl/options/flag_json.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"
#include "ctl/options/flag_values.h"
#include "ctl/options/payload.h"
#include "ctl/options/text_input.h"
#include "ctl/options/when.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"
#include "daemon/task/start_constraints_json.h"
#include "daemon/task/task_name.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string_view flag, const std::string& text, std::string_view problem) {
  throw UsageError(kExitUsage,
                   std::string(flag) + ": " + in_quotes(text) + " " + std::string(problem));
}

// The path from `option`, made absolute from this process's folder.
std::string absolute(std::string_view option, const std::string& path) {
  if (path.starts_with('/')) return path;
  if (path.empty()) throw UsageError(kExitUsage, std::string(option) + " is empty");
  const std::string here = working_folder(std::nullopt);
  return (here == "/" ? here : here + "/") + path;
}

json read_input(std::string_view flag, const std::string& text) {
  if (text != "-") return {{"file", bytes_to_json(absolute(flag, text))}};
  const std::string what = "standard input (" + std::string(flag) + " -)";
  const std::string input = read_stdin_bytes(kMaxStdinBytes, what);
  if (!is_valid_utf8(input) || input.find('\0') != std::string::npos)
    throw UsageError(kExitBadData, what + " is not UTF-8 text; put it into a file and name that");
  return {{"text", input}};
}

json number_or_text(const std::string& text) {
  const auto number = parse_int(text);
  return number ? json(*number) : json(text);
}

json pairs(std::string_view flag, const std::vector<std::string>& texts) {
  json out = json::object();
  for (const std::string& text : texts) {
    auto [key, value] = key_and_value(flag, checked(flag, text));
    out[key] = value;
  }
  return out;
}

json amounts(std::string_view flag, const std::vector<std::string>& texts) {
  json out = json::object();
  for (const std::string& text : split_lists(texts)) {
    const auto [name, amount] = key_and_value(flag, checked(flag, text), "NAME=AMOUNT");
    const auto number = parse_size_bytes(amount);
    if (!number) refuse(flag, text, "is not NAME=N with a count or a size such as 8G");
    if (out.contains(name)) refuse(flag, text, "names a resource twice");
    out[name] = *number;
  }
  return out;
}

json variables(Context& context, std::string_view flag, const std::vector<std::string>& texts) {
  json out = json::object();
  for (const std::string& text : texts) {
    const std::string name = text.substr(0, text.find('='));
    checked("the name in " + std::string(flag), name);
    if (!is_plain_text(name) || name.find(' ') != std::string::npos)
      refuse(flag, name, "is not the name of a variable; write --env once for each");
    if (text.find('=') != std::string::npos) {
      const auto [variable, value] = key_and_value(flag, text);
      out[variable] = bytes_to_json(value);
      continue;
    }
    const char* const value = context.env.get(text);
    if (value == nullptr)
      throw UsageError(kExitUsage, std::string(flag) + ": there is no variable " + in_quotes(text) +
                                       " here; write " + in_quotes(text + "=VALUE"));
    out[text] = bytes_to_json(value);
  }
  return out;
}

// "12", "12-15", "12[3]" or "last", optionally followed by ":any".
json dependency(std::string_view flag, const std::string& text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string on = colon < text.size() ? text.substr(colon + 1) : "ok";
  if (!parse_dependency_on(on)) refuse(flag, text, "must end in :ok, :any or :failed");
  const std::string tasks = text.substr(0, colon);
  if (!parse_task_name(tasks))
    refuse(flag, text,
           "is not an id, a range such as 15-20, an array's index such as 12[3], or last, alone or "
           "with :ok, :any or :failed");
  return {{"tasks", tasks}, {"on", on}};
}

json dependencies(std::string_view flag, const std::vector<std::string>& texts) {
  json out = json::array();
  for (const std::string& text : split_lists(texts)) {
    json one = dependency(flag, text);
    if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(std::move(one));
  }
  return out;
}

json range_json(const std::string& text) {
  const ArrayRange range = array_range(text);
  json out = {{"first", range.first}, {"last", range.last}, {"step", range.step}};
  if (range.at_once > 0) out["at_once"] = range.at_once;
  return out;
}

json texts_json(std::string_view flag, const std::vector<std::string>& texts) {
  json out = json::array();
  for (const std::string& text : texts) out.push_back(checked(flag, text));
  return out;
}

json matches(const std::vector<std::string>& texts) {
  json out = json::array();
  for (const std::string& text : split_lists(texts)) out.push_back(number_or_text(text));
  return out;
}

}  // namespace

std::string working_folder(const std::optional<std::string>& option) {
  if (option) return absolute("--cwd", *option);
  char buffer[PATH_MAX];
  if (::getcwd(buffer, sizeof buffer) == nullptr)
    throw UsageError(exit_code_of_errno(errno, kExitBadData),
                     std::string("cannot determine the working folder (") + std::strerror(errno) +
                         "); name one with --cwd");
  return buffer;
}

ArrayRange array_range(const std::string& text) {
  if (auto range = parse_array_range(text)) return *range;
  refuse("--array", text, "is not a range such as 1-100, 0-99:3 or 1-100%4");
}

json json_of_flag(Context& context, const OptionFlag& flag, const std::vector<std::string>& texts) {
  const std::string_view name = flag.long_name();
  if (flag.text == FlagText::none) return true;
  const std::string& text = texts.back();
  switch (flag.text) {
    case FlagText::none:
      break;
    case FlagText::text:
      return checked(name, text);
    case FlagText::bytes:
      return bytes_to_json(text);
    case FlagText::path:
      return bytes_to_json(absolute(name, text));
    case FlagText::input:
      return read_input(name, text);
    case FlagText::document:
      return read_payload(text);
    case FlagText::number:
      return int_flag(name, text);
    case FlagText::priority:
      if (const auto priority = parse_priority(text)) return *priority;
      refuse(name, text, "is neither a number nor low, normal, high or urgent");
    case FlagText::time:
      return duration_flag(name, text);
    case FlagText::rate:
      return rate_to_json(rate_value(name, text));
    case FlagText::moment:
      return format_rfc3339(time_flag(name, text, context.clock.wall_now()));
    case FlagText::range:
      return range_json(text);
    case FlagText::matches:
      return matches(texts);
    case FlagText::texts:
      return texts_json(name, texts);
    case FlagText::pairs:
      return pairs(name, texts);
    case FlagText::amounts:
      return amounts(name, texts);
    case FlagText::variables:
      return variables(context, name, texts);
    case FlagText::tasks:
      return dependencies(name, texts);
  }
  return true;
}

}  // namespace taskd::ctl
