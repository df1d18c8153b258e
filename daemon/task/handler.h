// Handlers: commands that the configuration names, for programs that submit a name and a payload
// instead of a command. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/process_attributes.h"

namespace taskd {

struct Handler {
  // What runs. Taken at the start of each attempt; no submit says otherwise.
  std::vector<std::string> argv;  // exactly one of argv and shell is set
  std::string shell;
  std::map<std::string, std::string> env;
  std::string cwd;                        // "" = the user's home
  std::uint32_t umask = kDefaultUmask;
  std::optional<std::uint32_t> user_uid;  // empty = who submitted the task
  std::string user_name;                  // who that was when the configuration was read
  // What a submit with it takes that does not say otherwise: fields of a task, as a JSON object.
  std::string defaults = "{}";
};

struct Handlers {
  bool only = false;  // nobody may submit a command of their own
  std::map<std::string, Handler> declared = {};

  // Null: it is not declared.
  const Handler* find(const std::string& name) const {
    const auto found = declared.find(name);
    return found == declared.end() ? nullptr : &found->second;
  }
};

}  // namespace taskd
