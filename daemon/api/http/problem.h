// How to refuse a request anywhere below the HTTP boundary: throw a ProblemError, and the boundary
// answers with its problem document.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "wire/wire.h"

namespace taskd {

struct ProblemError : std::exception {
  ProblemError(int status, std::string code, std::string detail, FieldErrors errors = {})
      : problem{status, std::move(code), std::move(detail), std::move(errors)} {}
  const char* what() const noexcept override { return problem.detail.c_str(); }

  Problem problem;
  std::string allow;                          // for 405: the allowed methods
  std::optional<std::int64_t> retry_after_s;  // if known
};

}  // namespace taskd
