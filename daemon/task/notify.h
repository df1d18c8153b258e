// Notifications: which hooks (declared in the configuration) are notified of which events of a
// task. Pure; shared by the daemon and taskctl.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace taskd {

class FieldReader;

enum class HookEvent {
  submitted,
  started,   // an attempt was claimed
  retrying,  // an attempt failed, and another will be made
  lost,      // an attempt was lost, and the task will run again
  succeeded,
  failed,
  cancelled,
};
inline constexpr HookEvent kAllHookEvents[] = {
    HookEvent::submitted, HookEvent::started, HookEvent::retrying, HookEvent::lost,
    HookEvent::succeeded, HookEvent::failed,  HookEvent::cancelled};

// A set of events.
class HookEvents {
 public:
  constexpr HookEvents() = default;
  constexpr HookEvents(std::initializer_list<HookEvent> events) {
    for (const HookEvent event : events) add(event);
  }
  constexpr void add(HookEvent event) { bits_ |= bit(event); }
  constexpr bool contains(HookEvent event) const { return (bits_ & bit(event)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  bool operator==(const HookEvents&) const = default;

 private:
  static constexpr unsigned bit(HookEvent event) { return 1U << static_cast<unsigned>(event); }
  unsigned bits_ = 0;
};
// The events of a hook that declares none.
inline constexpr HookEvents kTheEnds = {HookEvent::succeeded, HookEvent::failed,
                                        HookEvent::cancelled};

// One entry of a task's or a queue's `notify`.
struct Notify {
  std::string hook;
  HookEvents on;  // empty = the events that the hook declares
  bool operator==(const Notify&) const = default;
};

inline constexpr std::size_t kMaxNotify = 16;  // in one list

std::string_view to_string(HookEvent);
std::optional<HookEvent> parse_hook_event(std::string_view);

// Reads "NAME" or "NAME:failed,succeeded". Returns what is wrong with it otherwise.
std::variant<Notify, std::string> parse_notify(std::string_view text);
std::string format_notify(const Notify& notify);
std::vector<std::string> format_notify(const std::vector<Notify>& list);
// "failed,succeeded", in the enum's order.
std::string format_hook_events(HookEvents events);

// An array of such texts, at most kMaxNotify, each hook at most once.
void read_notify(FieldReader& reader, const nlohmann::json& value, const std::string& at,
                 std::vector<Notify>& out);

}  // namespace taskd
