#include "ctl/options/constraint_options.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"
#include "ctl/options/flag_values.h"
#include "ctl/options/when.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/start_constraints_json.h"
#include "daemon/task/task_name.h"

namespace taskd::ctl {
namespace {

[[noreturn]] void refuse(std::string_view flag, const std::string& text, std::string_view problem) {
  throw UsageError(kExitUsage,
                   std::string(flag) + ": " + in_quotes(text) + " " + std::string(problem));
}

// "12", "12-15", "12[3]" or "last", and what may follow: ":any".
NamedDependency parse_after(const std::string& text) {
  NamedDependency one;
  const std::size_t colon = std::min(text.find(':'), text.size());
  if (colon < text.size()) {
    const auto on = parse_dependency_on(std::string_view(text).substr(colon + 1));
    if (!on) refuse("--after", text, "must end in :ok, :any or :failed");
    one.on = *on;
  }
  one.tasks = text.substr(0, colon);
  if (!parse_task_name(one.tasks))
    refuse("--after", text,
           "is not an id, a range such as 15-20, an array's index such as 12[3], or last, alone or "
           "with :ok, :any or :failed");
  return one;
}

}  // namespace

void ConstraintOptions::declare(Args& args) {
  args.option("--key", "KEY", key_,
              "your tasks with the same KEY share its limits\n(default: one at a time)");
  args.option("--key-limit", "N", key_limit_, "run at most N tasks of the key at once");
  args.option("--key-rate", "N/TIME", key_rate_, "start at most this many of the key: 10/1m, 5/s");
  args.option("--slots", "N", slots_, "count as N workers while it runs (default: 1)");
  args.list("--resource", "NAME=N", resources_,
            "take this much of a declared resource: gpu=1,\nmemory=8G; may be repeated");
}

void ConstraintOptions::declare_unique(Args& args) {
  args.option("--unique", "KEY", unique_,
              "submit nothing while another of your tasks with this\nKEY has not ended; print that "
              "one's id instead");
  args.option("--unique-for", "TIME", unique_for_,
              "… and for this long after that one was submitted");
  args.option("--unique-while", "WHAT", unique_while_, "… while it is queued, or active");
}

void ConstraintOptions::declare_dependencies(Args& args) {
  args.list("--after", "TASK[:HOW]", after_,
            "start once these tasks have ended: 12,15-20:any,\n"
            "12[3], last; an array's id means all of it; HOW is\n"
            "ok (default), any or failed");
  args.option("--on-dependency-failed", "WHAT", on_dependency_failed_,
              "if they end otherwise: fail (default), cancel or run");
}

StartConstraints ConstraintOptions::to_flow() const {
  StartConstraints constraints;
  constraints.key = key();
  constraints.unique = unique();
  if (slots_) constraints.slots = int_flag("--slots", *slots_);
  set_resources(constraints);
  set_dependencies(constraints);
  return constraints;
}

void ConstraintOptions::add_asked(const StartConstraints& constraints, nlohmann::json& body) const {
  if (slots_) body["slots"] = constraints.slots;
  if (on_dependency_failed_) body["on_dependency_failed"] = to_string(constraints.on_dependency_failed);
}

KeyUse ConstraintOptions::key() const {
  KeyUse key;
  if (!key_ && (key_limit_ || key_rate_))
    throw UsageError(kExitUsage, "--key-limit and --key-rate need a --key");
  if (!key_) return key;
  key.name = checked("--key", *key_);
  if (key.name.empty()) throw UsageError(kExitUsage, "--key is empty");
  if (key_limit_) key.limit = int_flag("--key-limit", *key_limit_);
  if (key_rate_) key.rate = rate_value("--key-rate", *key_rate_);
  return key;
}

Unique ConstraintOptions::unique() const {
  Unique unique;
  if (!unique_ && (unique_for_ || unique_while_))
    throw UsageError(kExitUsage, "--unique-for and --unique-while need a --unique KEY");
  if (!unique_) return unique;
  unique.key = checked("--unique", *unique_);
  if (unique.key.empty()) throw UsageError(kExitUsage, "--unique is empty");
  if (unique_for_) unique.for_ms = duration_flag("--unique-for", *unique_for_);
  if (unique_while_) {
    unique.while_state = parse_unique_while(*unique_while_);
    if (!unique.while_state)
      refuse("--unique-while", *unique_while_, "is neither queued nor active");
  }
  return unique;
}

void ConstraintOptions::set_resources(StartConstraints& constraints) const {
  for (const std::string& text : split_lists(resources_)) {
    const auto [name, amount] =
        key_and_value("--resource", checked("--resource", text), "NAME=AMOUNT");
    const auto number = parse_size_bytes(amount);
    if (!number) refuse("--resource", text, "is not NAME=N with a count or a size such as 8G");
    if (!constraints.resources.emplace(name, *number).second)
      refuse("--resource", text, "names a resource twice");
  }
}

void ConstraintOptions::set_dependencies(StartConstraints& constraints) const {
  for (const std::string& text : split_lists(after_)) {
    const NamedDependency one = parse_after(text);
    if (std::find(constraints.named.begin(), constraints.named.end(), one) == constraints.named.end())
      constraints.named.push_back(one);
  }
  if (!on_dependency_failed_) return;
  const auto policy = parse_on_dependency_failed(*on_dependency_failed_);
  if (!policy)
    refuse("--on-dependency-failed", *on_dependency_failed_, "is none of fail, cancel, run");
  constraints.on_dependency_failed = *policy;
}

}  // namespace taskd::ctl
