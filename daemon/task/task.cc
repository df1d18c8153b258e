#include "daemon/task/task.h"

#include <limits>

#include "daemon/base/text.h"
#include "daemon/task/schedule.h"

namespace taskd {
namespace {

// Spellings by enumerator value.
constexpr std::string_view kStates[] = {"scheduled", "blocked",   "held",   "queued",
                                        "running",   "succeeded", "failed", "cancelled"};
constexpr std::string_view kReasons[] = {"exit", "signal", "timeout",    "oom",     "spawn",
                                         "lost", "poison", "dependency", "expired", "reported"};
constexpr std::string_view kOutcomeKinds[] = {"exited",     "signaled",     "timed_out",
                                              "oom_killed", "spawn_failed", "lost",
                                              "cancelled",  "reported",     "not_started"};
constexpr std::string_view kBackoffKinds[] = {"exponential", "linear", "constant"};
constexpr std::string_view kOnLost[] = {"rerun", "fail"};
constexpr std::string_view kOnBadResult[] = {"fail", "ignore"};
constexpr std::string_view kCatchUps[] = {"one", "all", "none"};
constexpr std::string_view kOverlaps[] = {"skip", "queue", "replace"};
constexpr std::string_view kSlotResults[] = {"fired", "overlap", "refused"};
constexpr std::string_view kUniqueWhiles[] = {"queued", "active"};
constexpr std::string_view kDependencyOns[] = {"ok", "any", "failed"};
constexpr std::string_view kOnDependencyFailed[] = {"fail", "cancel", "run"};

static_assert(std::size(kStates) == static_cast<std::size_t>(State::cancelled) + 1);
static_assert(std::size(kReasons) == static_cast<std::size_t>(Reason::reported) + 1);
static_assert(std::size(kOutcomeKinds) == static_cast<std::size_t>(OutcomeKind::not_started) + 1);
static_assert(std::size(kBackoffKinds) == static_cast<std::size_t>(BackoffKind::constant) + 1);
static_assert(std::size(kOnLost) == static_cast<std::size_t>(OnLost::fail) + 1);
static_assert(std::size(kOnBadResult) == static_cast<std::size_t>(OnBadResult::ignore) + 1);
static_assert(std::size(kCatchUps) == static_cast<std::size_t>(CatchUp::none) + 1);
static_assert(std::size(kOverlaps) == static_cast<std::size_t>(Overlap::replace) + 1);
static_assert(std::size(kSlotResults) == static_cast<std::size_t>(SlotResult::refused) + 1);
static_assert(std::size(kUniqueWhiles) == static_cast<std::size_t>(UniqueWhile::active) + 1);
static_assert(std::size(kDependencyOns) == static_cast<std::size_t>(DependencyOn::failed) + 1);
static_assert(std::size(kOnDependencyFailed) ==
              static_cast<std::size_t>(OnDependencyFailed::run) + 1);

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::string_view (&spellings)[N], std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (spellings[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(State s) {
  return kStates[static_cast<std::size_t>(s)];
}
std::string state_sentence(State s) {
  const char* const begin = s == State::cancelled ? "it was " : is_end(s) ? "it has " : "it is ";
  return begin + std::string(to_string(s));
}
std::string_view to_string(Reason r) {
  return kReasons[static_cast<std::size_t>(r)];
}
std::string_view to_string(OutcomeKind k) {
  return kOutcomeKinds[static_cast<std::size_t>(k)];
}
std::string_view to_string(BackoffKind k) {
  return kBackoffKinds[static_cast<std::size_t>(k)];
}
std::string_view to_string(OnLost o) {
  return kOnLost[static_cast<std::size_t>(o)];
}
std::string_view to_string(OnBadResult o) {
  return kOnBadResult[static_cast<std::size_t>(o)];
}

std::string_view to_string(CatchUp c) {
  return kCatchUps[static_cast<std::size_t>(c)];
}
std::string_view to_string(Overlap o) {
  return kOverlaps[static_cast<std::size_t>(o)];
}
std::string_view to_string(SlotResult r) {
  return kSlotResults[static_cast<std::size_t>(r)];
}

std::string_view to_string(UniqueWhile w) {
  return kUniqueWhiles[static_cast<std::size_t>(w)];
}
std::string_view to_string(DependencyOn o) {
  return kDependencyOns[static_cast<std::size_t>(o)];
}
std::string_view to_string(OnDependencyFailed o) {
  return kOnDependencyFailed[static_cast<std::size_t>(o)];
}

std::optional<State> parse_state(std::string_view text) {
  return parse<State>(kStates, text);
}
std::optional<Reason> parse_reason(std::string_view text) {
  return parse<Reason>(kReasons, text);
}
std::optional<OutcomeKind> parse_outcome_kind(std::string_view text) {
  return parse<OutcomeKind>(kOutcomeKinds, text);
}
std::optional<BackoffKind> parse_backoff_kind(std::string_view text) {
  return parse<BackoffKind>(kBackoffKinds, text);
}
std::optional<OnLost> parse_on_lost(std::string_view text) {
  return parse<OnLost>(kOnLost, text);
}
std::optional<OnBadResult> parse_on_bad_result(std::string_view text) {
  return parse<OnBadResult>(kOnBadResult, text);
}
std::optional<CatchUp> parse_catch_up(std::string_view text) {
  return parse<CatchUp>(kCatchUps, text);
}
std::optional<Overlap> parse_overlap(std::string_view text) {
  return parse<Overlap>(kOverlaps, text);
}
std::optional<SlotResult> parse_slot_result(std::string_view text) {
  return parse<SlotResult>(kSlotResults, text);
}

std::optional<UniqueWhile> parse_unique_while(std::string_view text) {
  return parse<UniqueWhile>(kUniqueWhiles, text);
}
std::optional<DependencyOn> parse_dependency_on(std::string_view text) {
  return parse<DependencyOn>(kDependencyOns, text);
}
std::optional<OnDependencyFailed> parse_on_dependency_failed(std::string_view text) {
  return parse<OnDependencyFailed>(kOnDependencyFailed, text);
}

std::optional<int> parse_priority(std::string_view text) {
  if (text == "low") return -10;
  if (text == "normal") return 0;
  if (text == "high") return 10;
  if (text == "urgent") return 100;
  const auto number = parse_int(text);
  if (!number || *number < std::numeric_limits<std::int32_t>::min() ||
      *number > std::numeric_limits<std::int32_t>::max())
    return std::nullopt;
  return static_cast<int>(*number);
}

std::optional<std::uint32_t> parse_umask(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  std::uint32_t umask = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    umask = umask * 8 + static_cast<std::uint32_t>(c - '0');
  }
  return umask <= 0777 ? std::optional(umask) : std::nullopt;
}

std::string format_umask(std::uint32_t umask) {
  std::string text = "0000";
  for (std::size_t i = text.size(); i-- > 0; umask /= 8)
    text[i] = static_cast<char>('0' + umask % 8);
  return text;
}

std::string command_line(const TaskSpec& spec) {
  if (!spec.handler.empty()) return "handler " + spec.handler;
  if (spec.argv.empty())
    return is_valid_utf8(spec.shell) ? spec.shell : "/bin/sh -c " + shell_quote(spec.shell);
  std::string line;
  for (const std::string& arg : spec.argv) {
    if (!line.empty()) line += ' ';
    line += shell_quote(arg);
  }
  return line;
}

}  // namespace taskd
