#include "daemon/api/request/batch_size.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"

namespace taskd {
namespace {

// Everything is stored in one transaction, which everybody waits for: about a second at most. That
// is ten thousand tasks with ten dependencies each, and 13 KiB of text.
constexpr std::size_t kMaxTextBytes = 128 << 20;
constexpr std::size_t kMaxWork = 240'000;
constexpr std::size_t kWorkOfTask = 4;
constexpr std::size_t kWorkOfDependency = 2;
constexpr std::size_t kCountedAtOnce = 1 << 20;
constexpr std::size_t kCopies = 2;  // in the spec, and as it is stored

// No deeper than a body may be nested.
std::size_t text_bytes(const nlohmann::json& value) {
  if (const auto* text = value.get_ptr<const std::string*>()) return text->size();
  if (!value.is_structured()) return 0;
  std::size_t bytes = 0;
  for (const auto& [name, item] : value.items()) {
    bytes += (value.is_object() ? name.size() : 0) + text_bytes(item);
  }
  return bytes;
}

// The size of a structured member, else 0.
std::size_t size_of(const nlohmann::json& task, const char* member) {
  if (!task.is_object()) return 0;
  const auto found = task.find(member);
  return found != task.end() && found->is_structured() ? found->size() : 0;
}

}  // namespace

std::size_t text_bytes(const TaskSpec& spec) {
  std::size_t bytes = spec.shell.size() + spec.payload.size() + spec.stdin_text.size();
  for (const std::string& word : spec.argv) bytes += word.size();
  for (const auto& [name, value] : spec.env) bytes += name.size() + value.size();
  for (const auto& [key, value] : spec.labels) bytes += key.size() + value.size();
  return bytes;
}

void BatchSize::add(const NewTask& task, const std::string& pointer, std::size_t read_bytes) {
  text_bytes_ += std::max(text_bytes(task.spec), read_bytes);
  work_ += kWorkOfTask + task.spec.labels.size();  // dependencies are added once they are resolved
  check(pointer);
}

void BatchSize::add_dependencies(std::size_t count, const std::string& pointer) {
  work_ += kWorkOfDependency * count;
  check(pointer);
}

void BatchSize::add(const nlohmann::json& task, const std::string& pointer) {
  text_bytes_ += text_bytes(task);
  work_ += kWorkOfTask + kWorkOfDependency * size_of(task, "needs") + size_of(task, "labels");
  check(pointer);
}

void BatchSize::check(const std::string& pointer) {
  if (text_bytes_ > kMaxTextBytes) refuse(pointer, "more than 128 MiB of text");
  if (work_ > kMaxWork) {
    refuse(pointer, "more than 240,000 rows, where a task counts as 4 and a dependency as 2,");
  }
  const std::size_t more_bytes = text_bytes_ - counted_bytes_;
  if (more_bytes < kCountedAtOnce) return;
  counted_bytes_ = text_bytes_;
  count_(static_cast<std::int64_t>(kCopies * more_bytes));
}

void BatchSize::refuse(const std::string& pointer, const std::string& much) const {
  throw ProblemError(
      422, code_, "the " + what_ + " is too large",
      {{pointer, "the tasks up to this one have " + much + " together; submit fewer at once"}});
}

}  // namespace taskd
