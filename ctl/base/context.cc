#include "ctl/base/context.h"

#include <unistd.h>

namespace taskd::ctl {

const char* Environment::get(std::string_view name) const {
  for (const char* const* entry = entries_; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.size() > name.size() && text[name.size()] == '=' && text.starts_with(name))
      return *entry + name.size() + 1;
  }
  return nullptr;
}

void Context::say(std::string_view sentence) {
  out.flush();
  write_all(STDERR_FILENO, std::string("taskctl: ").append(sentence).append("\n"));
}

}  // namespace taskd::ctl
