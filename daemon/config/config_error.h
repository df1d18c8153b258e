// Places in the configuration file, and errors about them.
#pragma once

#include <toml++/toml.h>

#include <string>

namespace taskd {

// "FILE:LINE: KEY"; `key` is the full key, such as "queues.mail.capacity", escaped for printing.
std::string place_of(const std::string& file, const toml::node& node, const std::string& key);

// Throws UsageError (78): "WHERE: WHAT". `where` is a place_of().
[[noreturn]] void refuse(const std::string& where, const std::string& what);

}  // namespace taskd
