// How a request is refused anywhere below the HTTP boundary: throw a ProblemError, and the boundary
// answers its problem document.
#pragma once

#include <exception>
#include <string>

#include "daemon/api/wire.h"

namespace taskd {

struct ProblemError : std::exception {
  ProblemError(int status, std::string code, std::string detail, FieldErrors errors = {})
      : problem{status, std::move(code), std::move(detail), std::move(errors)} {}
  const char* what() const noexcept override { return problem.detail.c_str(); }

  Problem problem;
  std::string allow;             // the methods of a 405
  bool passes_by_itself = true;  // a 503 then has a Retry-After
};

}  // namespace taskd
