// Names of users as /etc/passwd has them: taskctl is static and asks no other database.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace taskd::ctl {

using UserNames = std::map<std::uint32_t, std::string>;

// Of several names of one user the first, as getpwuid(3) has it. What cannot be read has no names.
UserNames read_user_names(const std::string& path);

std::string short_user(std::uint32_t uid);     // "alice", else "1000"
std::string describe_user(std::uint32_t uid);  // "alice", else "uid 1000"

}  // namespace taskd::ctl
