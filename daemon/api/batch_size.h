// How large the tasks of one request may be together, with what defaults give each of them: a body
// of 1 MiB can ask for ten thousand times as much. Not thread-safe.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/task/task.h"

namespace taskd {

class BatchSize {
 public:
  // `what` the request is, in its errors ("batch"), whose code is `code`.
  BatchSize(std::string what, std::string code) : what_(std::move(what)), code_(std::move(code)) {}

  // Counts one more, which stands at `pointer`: a task, or the object that one will be read from.
  // Throws ProblemError (422) where it is too much.
  void add(const NewTask& task, const std::string& pointer);
  void add(const nlohmann::json& task, const std::string& pointer);

 private:
  void check(const std::string& pointer) const;
  [[noreturn]] void refuse(const std::string& pointer, const std::string& much) const;

  std::string what_;
  std::string code_;
  std::size_t text_bytes_ = 0;
  std::size_t dependencies_ = 0;
};

}  // namespace taskd
