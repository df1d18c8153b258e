// Incremental SHA-256 of a sequence of texts.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace taskd::ctl {

class Digest {
 public:
  Digest();
  ~Digest();
  // Boundaries count: ("a", "bc") has another digest than ("ab", "c").
  void add(std::string_view text);
  // The digest so far, in hexadecimal; more may be added afterwards.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace taskd::ctl
