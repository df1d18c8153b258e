#include "daemon/config/file_permissions.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <vector>

#include "daemon/api/http/users.h"
#include "daemon/base/files.h"
#include "daemon/base/text.h"
#include "daemon/process/user.h"

namespace taskd {
namespace {

constexpr uid_t kOverflowUid = 65534;

// In a container some uids may be unmapped: the kernel shows their files as this uid's. Nobody in
// the container can become their owner.
bool is_unmapped(uid_t uid) {
  if (uid != kOverflowUid) return false;
  std::istringstream lines(read_file("/proc/self/uid_map", 4096).value_or(""));
  unsigned long long first = 0;
  unsigned long long outside = 0;
  unsigned long long count = 0;
  while (lines >> first >> outside >> count) {
    if (uid >= first && uid < first + count) return false;
  }
  return true;
}

bool is_trusted(uid_t uid, std::optional<uid_t> also) {
  return uid == 0 || uid == ::geteuid() || uid == also || is_unmapped(uid);
}

// A group with the user's name and no other member, as Debian creates for each user: its write
// permission is the user's own.
bool is_private_group(gid_t gid) {
  const auto user = find_entry(::geteuid());
  if (!user || user->gid != gid) return false;
  std::array<char, 16 * 1024> buffer;
  group entry{};
  group* found = nullptr;
  if (::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return false;
  }
  if (user->name != entry.gr_name) return false;
  for (char** member = entry.gr_mem; *member != nullptr; ++member) {
    if (user->name != *member) return false;
  }
  return true;
}

std::string owner_text(const std::string& shown, uid_t uid) {
  return shown + " belongs to " + name_or_uid(uid) + " (uid " + std::to_string(uid) + ")";
}

std::optional<std::string> look_at_itself(const std::string& path, std::optional<uid_t> also) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  // /dev/null belongs to everybody and contains nothing.
  if (S_ISCHR(info.st_mode)) return std::nullopt;
  const std::string shown = escape_for_humans(path);
  if (!is_trusted(info.st_uid, also)) {
    return owner_text(shown, info.st_uid) + ", who could change it: chown it first";
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return shown + " may be written by others: chmod go-w it first";
  }
  return std::nullopt;
}

// One step on the path to the file: a folder, or a link to one.
std::optional<std::string> look_at_step(const std::string& path, std::optional<uid_t> also) {
  struct stat link {};
  struct stat info {};
  if (::lstat(path.c_str(), &link) != 0 || ::stat(path.c_str(), &info) != 0) return std::nullopt;
  const std::string shown = escape_for_humans(path);
  for (const uid_t owner : {link.st_uid, info.st_uid}) {
    if (is_trusted(owner, also)) continue;
    return owner_text(shown, owner) + ", who could put something else in its place: chown it first";
  }
  // Everybody can remove only their own files.
  if ((info.st_mode & S_ISVTX) != 0) return std::nullopt;
  const bool by_group = (info.st_mode & S_IWGRP) != 0 && !is_private_group(info.st_gid);
  if (!by_group && (info.st_mode & S_IWOTH) == 0) return std::nullopt;
  return shown + " may be written by others, who could put something else in its place: chmod " +
         (by_group ? "go-w" : "o-w") + " it first";
}

std::vector<std::string> folders_above(const std::string& path) {
  std::vector<std::string> folders = {"/"};
  for (std::size_t end = path.find('/', 1); end != std::string::npos;
       end = path.find('/', end + 1)) {
    folders.push_back(path.substr(0, end));
  }
  return folders;
}

}  // namespace

std::optional<std::string> who_may_change(const std::string& path, std::optional<uid_t> also) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  if (!real) return std::nullopt;
  if (auto why = look_at_itself(path, also)) return why;
  std::vector<std::string> steps = folders_above(real.get());
  if (path.front() == '/') {
    for (std::string& folder : folders_above(path)) steps.push_back(std::move(folder));
    steps.push_back(path);  // it may be a link
  }
  for (const std::string& step : steps) {
    // The target itself was checked above.
    struct stat info {};
    if (step == path && (::lstat(step.c_str(), &info) != 0 || !S_ISLNK(info.st_mode))) continue;
    if (step == path && is_trusted(info.st_uid, also)) continue;
    if (auto why = look_at_step(step, also)) return why;
  }
  return std::nullopt;
}

}  // namespace taskd
