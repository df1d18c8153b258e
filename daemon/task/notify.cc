#include "daemon/task/notify.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

// Spellings by enumerator value.
constexpr std::string_view kHookEvents[] = {"submitted", "started", "retrying", "lost",
                                            "succeeded", "failed",  "cancelled"};
static_assert(std::size(kHookEvents) == std::size(kAllHookEvents));

std::string unknown_event(std::string_view word) {
  std::string text = in_quotes(word) + " is not an event; the events are ";
  for (const std::string_view known : kHookEvents) {
    if (known != kHookEvents[0]) text += known == std::end(kHookEvents)[-1] ? " and " : ", ";
    text += known;
  }
  return text;
}

}  // namespace

std::string_view to_string(HookEvent event) {
  return kHookEvents[static_cast<std::size_t>(event)];
}

std::optional<HookEvent> parse_hook_event(std::string_view text) {
  for (const HookEvent event : kAllHookEvents) {
    if (to_string(event) == text) return event;
  }
  return std::nullopt;
}

std::variant<Notify, std::string> parse_notify(std::string_view text) {
  const std::size_t colon = text.find(':');
  Notify notify;
  notify.hook = text.substr(0, colon);
  if (!is_valid_queue_name(notify.hook)) {
    return "must be the name of a hook, or NAME:EVENT,EVENT; a name is 1 to 64 letters, digits, "
           "'.', '_' or '-', beginning with a letter or digit";
  }
  if (colon == text.npos) return notify;
  for (std::size_t begin = colon + 1; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    const auto event = parse_hook_event(word);
    if (!event) return unknown_event(word);
    notify.on.add(*event);
    begin = end + 1;
  }
  return notify;
}

std::string format_hook_events(HookEvents events) {
  std::string text;
  for (const HookEvent event : kAllHookEvents) {
    if (!events.contains(event)) continue;
    if (!text.empty()) text += ',';
    text += to_string(event);
  }
  return text;
}

std::string format_notify(const Notify& notify) {
  return notify.on.empty() ? notify.hook : notify.hook + ":" + format_hook_events(notify.on);
}

std::vector<std::string> format_notify(const std::vector<Notify>& list) {
  std::vector<std::string> texts;
  for (const Notify& notify : list) texts.push_back(format_notify(notify));
  return texts;
}

void read_notify(FieldReader& reader, const nlohmann::json& value, const std::string& at,
                 std::vector<Notify>& out) {
  if (!value.is_array()) return reader.wrong_type(value, at, "an array of names of hooks");
  if (!reader.at_most(value.size(), kMaxNotify, at, "items")) return;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string place = at + "/" + std::to_string(i);
    const auto* text = reader.string(value[i], place);
    if (text == nullptr) continue;
    auto parsed = parse_notify(*text);
    if (const auto* wrong = std::get_if<std::string>(&parsed)) {
      reader.complain(place, *wrong, /*is_type=*/true);
      continue;
    }
    auto& notify = std::get<Notify>(parsed);
    const bool repeated =
        std::any_of(out.begin(), out.end(), [&](const Notify& n) { return n.hook == notify.hook; });
    if (repeated) reader.complain(place, "the hook \"" + notify.hook + "\" is there already");
    out.push_back(std::move(notify));
  }
}

}  // namespace taskd
