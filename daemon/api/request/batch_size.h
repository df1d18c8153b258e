// Limits the total size of one request's tasks, including their defaults: a body of 1 MiB can ask
// for ten thousand times as much, and all tasks are stored in one transaction. Counts the memory of
// the tasks for the request as they are read. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/task/task.h"

namespace taskd {

// The size of a spec's parts that can be long.
std::size_t text_bytes(const TaskSpec& spec);

class BatchSize {
 public:
  // `what` names the request in errors ("batch"), whose code is `code`. `count` is called before
  // memory is used; it may refuse (ConnectionPool::Turn::grow).
  BatchSize(std::string what, std::string code, std::function<void(std::int64_t bytes)> count)
      : what_(std::move(what)), code_(std::move(code)), count_(std::move(count)) {}

  // Counts one more item, at `pointer`: a task, or the object from which one will be read. Throws
  // ProblemError if it is too much: 422, or 503 for now. `read_bytes`: the text read from the store
  // for the task, if more than the task has.
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
  std::size_t work_ = 0;           // approximate, in rows
};

}  // namespace taskd
