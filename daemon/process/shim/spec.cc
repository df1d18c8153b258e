#include "daemon/process/shim/spec.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace taskd::shim {
namespace {

// Untouched pages of these cost nothing, so the largest spec needs no allocation.
alignas(8) char body[kMaxSpecBytes];
char* argv_pointers[kMaxSpecStrings + 1];
char* env_pointers[kMaxSpecStrings + 1];

bool read_fully(int fd, void* target, std::size_t bytes) {
  char* at = static_cast<char*>(target);
  while (bytes > 0) {
    const ssize_t n = ::read(fd, at, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

bool is_sane(const SpecHeader& header) {
  return header.magic == kSpecMagic && header.version == kSpecVersion &&
         header.body_bytes <= kMaxSpecBytes && header.argc > 0 && header.argc <= kMaxSpecStrings &&
         header.envc <= kMaxSpecStrings && header.groups <= kMaxSpecGroups &&
         header.groups * sizeof(gid_t) <= header.body_bytes && header.timeout_ms >= 0 &&
         header.process.umask <= 0777 && header.grace_ms >= 0 && header.output_cap_bytes >= 4;
}

// Hands out the strings that follow each other in [at, end).
class Strings {
 public:
  Strings(char* at, char* end) : at_(at), end_(end) {}

  // Null when the text is over.
  char* next() {
    void* nul = at_ == end_ ? nullptr : std::memchr(at_, 0, static_cast<std::size_t>(end_ - at_));
    if (nul == nullptr) return nullptr;
    char* text = at_;
    at_ = static_cast<char*>(nul) + 1;
    return text;
  }

  bool next(char** pointers, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      pointers[i] = next();
      if (pointers[i] == nullptr) return false;
    }
    pointers[count] = nullptr;
    return true;
  }

 private:
  char* at_;
  char* end_;
};

}  // namespace

bool read_spec(int fd, Spec& spec) {
  if (!read_fully(fd, &spec.header, sizeof spec.header) || !is_sane(spec.header)) return false;
  if (!read_fully(fd, body, spec.header.body_bytes)) return false;

  static_assert(sizeof(gid_t) == 4);
  spec.groups = reinterpret_cast<const gid_t*>(body);
  Strings strings(body + spec.header.groups * sizeof(gid_t), body + spec.header.body_bytes);
  spec.token = strings.next();
  spec.boot_id = strings.next();
  spec.cwd = strings.next();
  spec.cgroup = strings.next();
  spec.input = strings.next();
  spec.result = strings.next();
  spec.argv = argv_pointers;
  spec.env = env_pointers;
  return spec.result != nullptr && strings.next(argv_pointers, spec.header.argc) &&
         strings.next(env_pointers, spec.header.envc);
}

}  // namespace taskd::shim
