#include "ctl/view/preview.h"

#include <map>
#include <nlohmann/json.hpp>

#include "ctl/base/count_text.h"
#include "ctl/base/failure.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

// "3 tasks (2 queued, 1 running)".
std::string what_of(const Preview& preview) {
  std::map<State, std::int64_t> states;
  for (const PreviewCount& one : preview.counts) states[one.state] += one.count;
  std::string by_state;
  for (const auto& [state, count] : states) {
    by_state += (by_state.empty() ? "" : ", ") + format_count(count) + " ";
    by_state += to_string(state);
  }
  std::string text = count_tasks(preview.count);
  if (!by_state.empty()) text += " (" + by_state + ")";
  return text;
}

// ", until queue small is full", if the run would stop there.
std::string limit_of(const Preview& preview) {
  if (preview.full_queue.empty()) return "";
  return ", until the queue " + escape_for_humans(preview.full_queue) + " takes no more";
}

std::string by_queue(const Preview& preview) {
  std::map<std::string, std::int64_t> queues;
  for (const PreviewCount& one : preview.counts) queues[one.queue] += one.count;
  if (queues.size() < 2) return "";
  std::string text;
  for (const auto& [queue, count] : queues) {
    text += (text.empty() ? "; by queue: " : ", ") + escape_for_humans(queue) + " " +
            format_count(count);
  }
  return text;
}

}  // namespace

Preview read_preview(const nlohmann::json& answer) {
  try {
    Preview preview;
    preview.count = answer.at("count").get<std::int64_t>();
    preview.ids = answer.at("ids").get<std::vector<TaskId>>();
    const nlohmann::json& full = answer.at("full_queue");
    if (!full.is_null()) preview.full_queue = full.get<std::string>();
    for (const nlohmann::json& one : answer.at("counts")) {
      const auto state = parse_state(one.at("state").get_ref<const std::string&>());
      if (!state) throw Failure(kExitBadAnswer, "the daemon names an unknown state");
      preview.counts.push_back(
          {one.at("queue").get<std::string>(), *state, one.at("count").get<std::int64_t>()});
    }
    return preview;
  } catch (const nlohmann::json::exception&) {
    throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's dry run");
  }
}

std::string question_about(const Preview& preview, std::string_view act) {
  std::string text(act);
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text + " " + what_of(preview) + limit_of(preview) + "?";
}

std::string describe_dry_run(const Preview& preview, std::string_view act, std::size_t shown) {
  if (preview.count == 0) return "no task matches; nothing would change";
  std::string text = "would " + std::string(act) + " " + what_of(preview) + limit_of(preview);
  if (std::cmp_greater(preview.count, shown))
    text += ", of which these are the first " + std::to_string(shown);
  return text + by_queue(preview);
}

}  // namespace taskd::ctl
