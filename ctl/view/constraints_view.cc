#include "ctl/view/constraints_view.h"

#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

std::string key_text(const KeyUse& key) {
  std::string text = escape_for_humans(key.name);
  if (key.limit) text += ", " + std::to_string(*key.limit) + " at once";
  if (key.rate) text += ", " + format_rate(*key.rate) + " starts";
  return text;
}

std::string unique_text(const Unique& unique) {
  std::string text = escape_for_humans(unique.key);
  if (unique.for_ms > 0) text += ", for " + format_duration_ms(unique.for_ms);
  if (unique.while_state) text += ", while " + std::string(to_string(*unique.while_state));
  return text;
}

std::string dependencies_text(const StartConstraints& constraints) {
  std::string text;
  for (const Dependency& dependency : constraints.depends_on) {
    if (!text.empty()) text += ", ";
    text += (dependency.whole_array ? "array " : "") + std::to_string(dependency.task);
    if (dependency.on != DependencyOn::ok) text += ":" + std::string(to_string(dependency.on));
  }
  if (constraints.on_dependency_failed != OnDependencyFailed::fail)
    text += "; else " + std::string(to_string(constraints.on_dependency_failed));
  return text;
}

std::string needs_text(const StartConstraints& constraints) {
  std::string text = std::to_string(constraints.slots) + (constraints.slots == 1 ? " slot" : " slots");
  for (const auto& [name, amount] : constraints.resources)
    text += ", " + name + "=" + std::to_string(amount);
  return text;
}

}  // namespace

void add_constraints(Lines& lines, const StartConstraints& constraints) {
  if (!constraints.key.name.empty()) lines.add("key", key_text(constraints.key));
  if (constraints.slots != 1 || !constraints.resources.empty()) lines.add("takes", needs_text(constraints));
  if (!constraints.unique.key.empty()) lines.add("unique", unique_text(constraints.unique));
  if (!constraints.depends_on.empty()) lines.add("after", dependencies_text(constraints));
}

}  // namespace taskd::ctl
