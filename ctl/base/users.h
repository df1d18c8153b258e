// Names of users as /etc/passwd has them: taskctl is static and asks no other database. It is read
// when a name is asked for; each is kept. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace taskd::ctl {

// Of several names of one user the first, as getpwuid(3) has it; "" = none, or unreadable. As it
// stands in the file.
std::string name_in(const std::string& passwd_path, std::uint32_t uid);

// The uid of a name, or of a decimal uid. Nothing: there is no such user, or the file is
// unreadable.
std::optional<std::uint32_t> uid_in(const std::string& passwd_path, const std::string& name);

// Safe for people; root is known without the file.
std::string short_user(std::uint32_t uid);     // "alice", else "1000"
std::string describe_user(std::uint32_t uid);  // "alice", else "uid 1000"
std::string short_group(std::uint32_t gid);    // as /etc/group has it, else "1000"

}  // namespace taskd::ctl
