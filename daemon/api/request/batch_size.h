// How large the tasks of one request may be together, with what defaults give each of them: a body
// of 1 MiB can ask for ten thousand times as much, and they are stored in one transaction. What they
// take is counted as the request's memory as they come. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/task/task.h"

namespace taskd {

// What of a spec can be long.
std::size_t text_bytes(const TaskSpec& spec);

class BatchSize {
 public:
  // `what` the request is, in its errors ("batch"), whose code is `code`.
  // `count` is told of memory that is about to be taken; it may refuse
  // (ConnectionPool::Turn::grow).
  BatchSize(std::string what, std::string code, std::function<void(std::int64_t bytes)> count)
      : what_(std::move(what)), code_(std::move(code)), count_(std::move(count)) {}

  // Counts one more, which stands at `pointer`: a task, or the object that one will be read from.
  // Throws ProblemError where it is too much: 422, or 503 for now. For the task `read_bytes` of text
  // were read from the store, if that is more than it has.
  void add(const NewTask& task, const std::string& pointer, std::size_t read_bytes = 0);
  void add(const nlohmann::json& task, const std::string& pointer);
  void add_dependencies(std::size_t count, const std::string& pointer);

 private:
  void check(const std::string& pointer);
  [[noreturn]] void refuse(const std::string& pointer, const std::string& much) const;

  std::string what_;
  std::string code_;
  const std::function<void(std::int64_t)> count_;
  std::size_t text_bytes_ = 0;
  std::size_t counted_bytes_ = 0;  // of them
  std::size_t work_ = 0;           // in rows, about
};

}  // namespace taskd
