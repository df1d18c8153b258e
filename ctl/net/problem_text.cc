#include "ctl/net/problem_text.h"

#include <algorithm>

#include "daemon/base/ascii.h"
#include "daemon/base/text.h"
#include "daemon/task/task_option.h"

namespace taskd::ctl {
namespace {

struct FieldFlag {
  std::string_view field;
  std::string_view flag;
};
// Fields that are not options of a task.
constexpr FieldFlag kFlags[] = {
    {"limit", "--limit"},
    {"capacity", "--capacity"},
    {"concurrency", "--concurrency"},
    {"rate", "--rate"},
    {"weight", "--weight"},
    {"reason", "--reason"},
    {"cron", "--cron"},
    {"zone", "--tz"},
    {"every_ms", "--every"},
    {"catch_up", "--catch-up"},
    {"overlap", "--overlap"},
    {"percent", "the percentage"},
    {"message", "--message"},
    {"result", "the result"},
    {"signal", "the signal"},
    {"state", "--state"},
    {"since", "--since"},
    {"until", "--until"},
    {"ended_since", "--ended-since"},
    {"ended_before", "--ended-before"},
    {"dead", "--dead"},
    {"workflow", "--workflow"},
    {"like", "--like"},
};

// Decodes the percent-encoding of a fragment, then ~0 and ~1 of a JSON pointer's step.
std::string decode_step(std::string_view step) {
  std::string plain;
  for (std::size_t i = 0; i < step.size(); ++i) {
    const bool escaped = step[i] == '%' && i + 2 < step.size() && hex_digit(step[i + 1]) >= 0 &&
                         hex_digit(step[i + 2]) >= 0;
    plain.push_back(escaped
                        ? static_cast<char>(hex_digit(step[i + 1]) * 16 + hex_digit(step[i + 2]))
                        : step[i]);
    if (escaped) i += 2;
  }
  std::string out;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const bool escaped =
        plain[i] == '~' && i + 1 < plain.size() && (plain[i + 1] == '0' || plain[i + 1] == '1');
    out.push_back(!escaped ? plain[i] : plain[i + 1] == '0' ? '~' : '/');
    if (escaped) ++i;
  }
  return out;
}

// The flag for a pointer within the task; "" if there is none.
std::string flag_of_option(std::string_view rest) {
  const std::string_view field = rest.substr(0, rest.find('/'));
  const TaskOption* option = find_task_option(field);
  if (option == nullptr) return "";
  std::string_view inside = rest.substr(std::min(field.size() + 1, rest.size()));
  const OptionFlag* flag = &option->flags[0];
  for (const OptionFlag& one : option->flags) {
    const bool is_it = !one.names.empty() && !one.member.empty() && inside.starts_with(one.member);
    if (!is_it) continue;
    flag = &one;
    inside.remove_prefix(std::min(one.member.size() + 1, inside.size()));
  }
  // The error of such an option names the value itself.
  if (flag->text == FlagText::texts || flag->text == FlagText::tasks) inside = {};
  const std::string name(field == "argv" ? "the command" : flag->long_name());
  return name + (inside.empty() ? "" : " " + decode_step(inside));
}

// "must be from 1000 to 60000" -> "must be from 1s to 1m".
std::string with_durations(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  std::string out;
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find_first_of(kDigits), text.size());
    const std::size_t end = std::min(text.find_first_not_of(kDigits, begin), text.size());
    const std::string_view digits = text.substr(begin, end - begin);
    const auto ms = parse_int(digits);
    out.append(text.substr(0, begin)).append(ms ? format_duration_ms(*ms) : std::string(digits));
    text.remove_prefix(end);
  }
  return out;
}

}  // namespace

std::string flag_of_pointer(std::string_view pointer) {
  std::string_view rest = pointer;
  for (const std::string_view prefix : {"#/filter/", "#/task/", "#/edit/", "#/defaults/", "#/"}) {
    if (!rest.starts_with(prefix)) continue;
    rest.remove_prefix(prefix.size());
    break;
  }
  if (const std::string flag = flag_of_option(rest); !flag.empty()) return flag;
  for (const auto& [field, flag] : kFlags) {
    if (!rest.starts_with(field)) continue;
    const std::string_view inside = rest.substr(field.size());
    if (inside.empty()) return std::string(flag);
    if (inside.front() == '/') return std::string(flag) + " " + decode_step(inside.substr(1));
  }
  return std::string(pointer);
}

std::string path_of_pointer(std::string_view pointer) {
  std::string path;
  if (pointer.starts_with('#')) pointer.remove_prefix(1);
  while (pointer.starts_with('/')) {
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    path += (path.empty() ? "" : ".") + decode_step(pointer.substr(0, end));
    pointer.remove_prefix(end);
  }
  return path;
}

std::string describe_field_error(const FieldError& error) {
  // The option takes a duration where the field has milliseconds.
  const bool in_ms = error.pointer.ends_with("_ms");
  return escape_for_humans(flag_of_pointer(error.pointer)) + ": " +
         escape_for_table(in_ms ? with_durations(error.detail) : error.detail);
}

std::string describe_problem(const Problem& problem,
                             std::optional<std::string_view> retry_after_s) {
  // The option has another name than the header.
  if (problem.code == "idempotency_key_reused")
    return "this --idempotency-key was used for another task; its folder and environment count too";
  // A detail about a field of the request repeats the first error.
  const bool repeats = problem.detail.starts_with('#') && !problem.errors.empty();
  const bool one = problem.errors.size() == 1;
  if (one && (repeats || problem.errors.front().detail == problem.detail))
    return describe_field_error(problem.errors.front());
  std::string out = repeats
                        ? "several options are wrong"
                        : escape_for_table(problem.detail.empty() ? problem.code : problem.detail);
  constexpr std::string_view kAgain = "; try again";
  if (out.ends_with(kAgain)) out.resize(out.size() - kAgain.size());
  if (retry_after_s && parse_int(*retry_after_s))
    out.append("; try again in ").append(*retry_after_s).append(" s");
  else if (problem.detail.ends_with(kAgain))
    out.append(kAgain);
  for (const FieldError& error : problem.errors) out.append("\n  ").append(describe_field_error(error));
  return out;
}

}  // namespace taskd::ctl
