// SHA-256 of text that comes bit by bit.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace taskd::ctl {

class Digest {
 public:
  Digest();
  ~Digest();
  // Texts are told apart: ("a", "bc") is another digest than ("ab", "c").
  void add(std::string_view text);
  // Of all so far, in hexadecimal; more may be added afterwards.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace taskd::ctl
