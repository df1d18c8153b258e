// User names from /etc/passwd only: taskctl is static and reads no other database. Reads the file
// on first use and caches names. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace taskd::ctl {

// The first name of the uid, like getpwuid(3); "" = none, or the file is unreadable. Not escaped.
std::string name_in(const std::string& passwd_path, std::uint32_t uid);

// The uid for a name or a decimal uid. Nothing if there is no such user, or the file is unreadable.
std::optional<std::uint32_t> uid_in(const std::string& passwd_path, const std::string& name);

// Escaped for people; root works without the file.
std::string short_user(std::uint32_t uid);     // "alice", else "1000"
std::string describe_user(std::uint32_t uid);  // "alice", else "uid 1000"
std::string short_group(std::uint32_t gid);    // from /etc/group, else "1000"

}  // namespace taskd::ctl
