// Handlers: commands that the configuration declares under a name. Clients submit the name and a
// payload instead of a command. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/process_attributes.h"

namespace taskd {

struct Handler {
  // The command. Read at the start of each attempt; a submit cannot override it.
  std::vector<std::string> argv;  // exactly one of argv and shell is set
  std::string shell;
  std::map<std::string, std::string> env;
  std::string cwd;  // "" = the user's home
  std::uint32_t umask = kDefaultUmask;
  std::optional<std::uint32_t> user_uid;  // empty = the task's owner
  std::string user_name;                  // that user's name when the configuration was read
  // Defaults for fields that a submit omits: a JSON object with fields of a task.
  std::string defaults = "{}";
};

struct Handlers {
  bool only = false;  // if set, users may not submit commands of their own
  std::map<std::string, Handler> declared = {};

  // Returns null if it is not declared.
  const Handler* find(const std::string& name) const {
    const auto found = declared.find(name);
    return found == declared.end() ? nullptr : &found->second;
  }
};

}  // namespace taskd
