#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/base/text.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

std::optional<WallTime> time_at(const json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end() || !member->is_string()) return std::nullopt;
  return parse_rfc3339(member->get<std::string>());
}

constexpr std::size_t kMaxUnits = 10;

// The first of `all` items: "#5, #9 and 3 more".
std::string list_of(const std::vector<std::string>& first, std::int64_t all) {
  std::string out;
  const std::int64_t more = all - std::ssize(first);
  for (std::size_t i = 0; i < first.size(); ++i) {
    const bool last = i + 1 == first.size() && more <= 0;
    out += (i == 0 ? "" : last ? " and " : ", ") + first[i];
  }
  return more > 0 ? out + " and " + std::to_string(more) + " more" : out;
}

std::string names(const Why& why) {
  if (why.tasks.empty()) {
    return why.task_count == 1 ? "another user's task"
                               : std::to_string(why.task_count) + " tasks of other users";
  }
  std::vector<std::string> tasks;
  for (const TaskId task : why.tasks) tasks.push_back("#" + std::to_string(task));
  return list_of(tasks, why.task_count);
}

// "0 and 1 are taken by #5 and #9", or the tasks that use an unindexed resource.
std::string holders(const Why& why) {
  if (why.units.empty())
    return names(why) + (why.task_count == 1 ? " has" : " have") + " some of it";
  std::vector<std::string> first;
  for (const std::string& unit : why.units) {
    if (first.size() < kMaxUnits) first.push_back(escape_for_humans(unit));
  }
  return list_of(first, std::ssize(why.units)) +
         (why.units.size() == 1 ? " is taken by " : " are taken by ") + names(why);
}

std::string in_front(const Why& why) {
  if (why.ahead == 0) return "next in line";
  const std::string count =
      why.ahead >= kMaxAhead ? std::to_string(kMaxAhead) + " or more" : std::to_string(why.ahead);
  return count + (why.ahead == 1 ? " task is" : " tasks are") + " ahead of it";
}

std::string paused(const Why& why, const WhyWords& words) {
  std::string out = "queue " + in_quotes(why.what) + " is paused";
  if (why.by) out += " by " + words.user(*why.by);
  return why.reason.empty() ? out : out + ": " + escape_for_humans(why.reason);
}

// "it has failed (dependency): #12 did not end as required"
std::string ended(const Why& why) {
  std::string out = why.what == "cancelled" ? "it was cancelled" : "it has " + why.what;
  if (!why.reason.empty()) out += " (" + escape_for_humans(why.reason) + ")";
  if (!why.tasks.empty()) return out + ": " + names(why) + " did not end as required";
  if (!why.error.empty()) out += ": " + escape_for_table(why.error);
  // Nearly always caused by the command itself, and nothing else would say so.
  if (why.reason == to_string(Reason::poison)) {
    out +=
        ". Each attempt killed its supervisor, as a command does that kills its parent process "
        "($PPID). Fix the command, then: taskctl retry";
  }
  return out;
}

// The text comes from a job, so it may contain broken UTF-8.
json text_or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

json why_to_json(const Why& why) {
  return {{"why", to_string(why.kind)},
          {"tasks", why.tasks},
          {"task_count", why.task_count},
          {"units", why.units},
          {"what", why.what.empty() ? json(nullptr) : json(why.what)},
          {"until", time_or_null(why.until)},
          {"by", why.by ? json(*why.by) : json(nullptr)},
          {"reason", why.reason.empty() ? json(nullptr) : json(why.reason)},
          {"error", text_or_null(why.error)},
          {"ahead", why.ahead},
          {"expected_at", time_or_null(why.expected_at)}};
}

Why why_from_json(const json& object) {
  Why why;
  try {
    const auto kind = parse_wait_kind(object.at("why").get<std::string>());
    if (!kind) throw std::runtime_error("the answer's \"why\" is unknown");
    why.kind = *kind;
    why.tasks = object.at("tasks").get<std::vector<TaskId>>();
    why.task_count = object.at("task_count").get<std::int64_t>();
    if (object.contains("units")) why.units = object.at("units").get<std::vector<std::string>>();
    if (object.at("what").is_string()) why.what = object.at("what").get<std::string>();
    why.until = time_at(object, "until");
    if (object.at("by").is_number_unsigned()) why.by = object.at("by").get<std::uint32_t>();
    if (object.at("reason").is_string()) why.reason = object.at("reason").get<std::string>();
    if (const auto error = object.find("error"); error != object.end() && error->is_string()) {
      why.error = error->get<std::string>();
    }
    why.ahead = object.at("ahead").get<std::int64_t>();
    why.expected_at = time_at(object, "expected_at");
  } catch (const json::exception& e) {
    throw std::runtime_error(std::string("the answer is no \"why\": ") + e.what());
  }
  return why;
}

std::string describe_why(const Why& why, const WhyWords& words) {
  const std::string until = why.until ? words.time(*why.until) : "";
  switch (why.kind) {
    case WaitKind::runs:
      return "it is running";
    case WaitKind::ended:
      return ended(why);
    case WaitKind::held:
      return "held" + (why.by ? " by " + words.user(*why.by) : std::string()) +
             "; to let it run: taskctl release";
    case WaitKind::delay:
      return "starts at " + until;
    case WaitKind::retry:
      return "its last attempt failed; the next try is at " + until;
    case WaitKind::dependencies:
      return "waits for " + names(why) + " to end";
    case WaitKind::key_busy:
      if (why.what.starts_with(kArrayKey))
        return "its array is at its limit (" + names(why) + "); " + in_front(why);
      return "key " + in_quotes(why.what) +
             (why.task_count == 0 ? " lets others start first" : " is in use by " + names(why)) +
             "; " + in_front(why);
    case WaitKind::key_rate:
      return "the rate of key " + in_quotes(why.what) + " allows the next start at " + until +
             "; " + in_front(why);
    case WaitKind::queue_paused:
      return paused(why, words);
    case WaitKind::queue_busy:
      return "queue " + in_quotes(why.what) + " is at its concurrency limit (" + names(why) +
             "); " + in_front(why);
    case WaitKind::queue_rate:
      return "the rate of queue " + in_quotes(why.what) + " allows the next start at " + until +
             "; " + in_front(why);
    case WaitKind::slots:
      return "the workers are busy with " + names(why) + "; " + in_front(why);
    case WaitKind::resource:
      return "not enough of " + in_quotes(why.what) + " is free" +
             (why.task_count == 0 ? "" : ": " + holders(why)) + "; " + in_front(why);
    case WaitKind::never_fits:
      return why.what.empty() ? "it needs more slots than this daemon has workers"
                              : "it needs more of " + in_quotes(why.what) + " than this daemon has";
    case WaitKind::kept:
      return (why.what.empty() ? "the free workers are"
                               : "what is free of " + in_quotes(why.what) + " is") +
             " reserved for " + names(why) + ", which needs more and came first; " + in_front(why);
    case WaitKind::turn:
      return why.ahead == 0 ? "it is about to start" : in_front(why);
  }
  return "";
}

}  // namespace taskd
