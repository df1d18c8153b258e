#include "daemon/api/batch_size.h"

#include <nlohmann/json.hpp>

#include "daemon/api/problem.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxTextBytes = 128 << 20;
constexpr std::size_t kMaxOfBatch = 100'000;
constexpr std::size_t kCountedAtOnce = 1 << 20;
constexpr std::size_t kCopies = 2;  // in the spec, and as it is stored

std::size_t text_bytes(const TaskSpec& spec) {
  std::size_t bytes = spec.shell.size() + spec.payload.size() + spec.stdin_text.size();
  for (const std::string& word : spec.argv) bytes += word.size();
  for (const auto& [name, value] : spec.env) bytes += name.size() + value.size();
  for (const auto& [key, value] : spec.labels) bytes += key.size() + value.size();
  return bytes;
}

// No deeper than a body may be.
std::size_t text_bytes(const nlohmann::json& value) {
  if (const auto* text = value.get_ptr<const std::string*>()) return text->size();
  if (!value.is_structured()) return 0;
  std::size_t bytes = 0;
  for (const auto& [name, item] : value.items()) {
    bytes += (value.is_object() ? name.size() : 0) + text_bytes(item);
  }
  return bytes;
}

}  // namespace

void BatchSize::add(const NewTask& task, const std::string& pointer) {
  text_bytes_ += text_bytes(task.spec);
  check(pointer);
}

void BatchSize::add_dependencies(std::size_t count, const std::string& pointer) {
  dependencies_ += count;
  check(pointer);
}

void BatchSize::add(const nlohmann::json& task, const std::string& pointer) {
  text_bytes_ += text_bytes(task);
  const auto needs = task.is_object() ? task.find("needs") : task.end();
  if (needs != task.end() && needs->is_array()) dependencies_ += needs->size();
  check(pointer);
}

void BatchSize::check(const std::string& pointer) {
  if (text_bytes_ > kMaxTextBytes) refuse(pointer, "more than 128 MiB of text");
  if (dependencies_ > kMaxOfBatch) refuse(pointer, "more than 100,000 dependencies");
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
