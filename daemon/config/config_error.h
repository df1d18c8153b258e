// Where in the configuration file something stands, and how its readers refuse it.
#pragma once

#include <toml++/toml.h>

#include <string>

namespace taskd {

// "FILE:LINE: KEY"; `key` is the whole of it, such as "queues.mail.capacity", made fit to print.
std::string place_of(const std::string& file, const toml::node& node, const std::string& key);

// Throws UsageError (78): "WHERE: WHAT". `where` is a place_of().
[[noreturn]] void refuse(const std::string& where, const std::string& what);

}  // namespace taskd
