// The protocol between the launcher and taskd-shim: requests to the fork server, the descriptors of
// a new shim, the launch spec on its launch pipe, and the marks that both leave in the attempt's
// folder.
//
// An old shim may meet a new daemon (an upgrade while jobs run), so the lock file is versioned
// text, and the daemon can read every version it ever wrote. The fork server lives and dies with
// its daemon. Still, their versions can differ if the program was replaced under a running daemon:
// a shim exits before anything starts if it does not know the spec's version.
#pragma once

#include <signal.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/base/process_attributes.h"

namespace taskd::shim {

// The fork server. Only it is exec'ed; shims are forks of it, which saves starting a program for
// each. It starts in its own session, with all signals blocked, an empty environment, its end of a
// SOCK_SEQPACKET socket pair as descriptor 0, and 1 and 2 on /dev/null.
//
// A request is a label of 1 to kMaxLabelBytes (ps shows it as the shim's argument), with the
// descriptors of RequestFd in that order as SCM_RIGHTS. They arrive at the free numbers 3, 4, …,
// which are those that a shim needs. The answer is a ForkReply, with the shim's pidfd if there is a
// shim. The lock is never free meanwhile: the request, the server or the shim holds it.
inline constexpr int kServerSocketFd = 0;
inline constexpr std::string_view kServerArgument = "fork-server                     ";
inline constexpr std::size_t kMaxLabelBytes = kServerArgument.size();  // the label overwrites it

enum RequestFd { kRequestLock, kRequestFolder, kRequestLaunchPipe, kRequestCgroup };
inline constexpr int kMinRequestFds = 3;  // without a cgroup for the shims
inline constexpr int kMaxRequestFds = 4;

struct ForkReply {
  std::int32_t pid;    // 0 = no shim
  std::int32_t error;  // errno if there is no shim
};

// The shim's descriptors. 1 and 2 are /dev/null: the shim reports in the lock file, because a log's
// descriptor would tie it to the daemon that it must outlive.
inline constexpr int kLaunchPipeFd = 0;  // read end; hung up once the daemon is gone
inline constexpr int kNullFd = 1;
inline constexpr int kLockFd = 3;  // the locked description of `lock`, held until the shim is dead
inline constexpr int kFolderFd = 4;  // the attempt's folder

// The lock file. The launcher locks it and writes one line with kOriginMark, the store's id and
// epoch, the file's own device and inode, and the attempt's token. Then it starts the shim and
// writes kShimMark, the shim's pid and a newline before it opens the launch pipe. The shim appends
// kStartedMark just before it starts the command. So a lock file with the attempt's origin and
// without kStartedMark proves, within its boot, that the command never began. Nothing else proves
// that.
inline constexpr const char* kLockFile = "lock";
inline constexpr std::string_view kOriginMark = "store ";
inline constexpr std::string_view kShimMark = "shim ";
inline constexpr std::string_view kStartedMark = "started\n";
// Followed by the pid of the command, which leads the session, and its start time as in
// /proc/PID/stat. The command itself appends this line before exec.
inline constexpr std::string_view kSessionMark = "session ";

// The status, which the shim appends to the lock file at the end: "key value" lines; the first
// names the version, the last holds the CRC-32 of all bytes before it as eight hex digits. It is in
// the lock file because that already has a disk block: no end is lost to a full disk, and no file
// is created for it.
inline constexpr std::string_view kStatusFirstLine = "taskd-status 1\n";
inline constexpr std::string_view kStatusCrcKey = "crc ";

// Who sent the SIGTERM that stopped an attempt, in the line "stopped_by WHO PID NAME" of the
// status. A stop from outside is planned (a shutdown, the service manager, a person): the shim
// appends kPlannedStopMark to the lock file at once, in case it is killed before it can record the
// end.
inline constexpr std::string_view kStoppedFromOutside = "outside";
inline constexpr std::string_view kStoppedByItself = "own_tree";
inline constexpr std::string_view kStoppedByUnknown = "unknown";
inline constexpr std::string_view kPlannedStopMark = "planned_stop\n";
// The order of the two streams (output_order.h): records of this size, a letter ('o' for stdout,
// 'e' for stderr), 14 hex digits and a newline. If they exceed the cap, the first half and the last
// quarter are kept, as whole records.
inline constexpr std::size_t kOrderRecordBytes = 16;
inline constexpr std::int64_t kOrderCapBytes = 1 << 20;

// A task's stdin if the submit contained the text: a file in the attempt's folder.
inline constexpr const char* kInputFile = "input";

// Where a job may write its result: TASKD_RESULT_FILE, a named pipe that the shim reads. The last
// JSON value from it, at most kMaxResultBytes, is kept in kResultText in the attempt's folder. The
// line "result" of the status says whether that worked.
inline constexpr const char* kResultPipe = "result";
inline constexpr const char* kResultText = "result.json";
inline constexpr std::size_t kMaxResultBytes = 64 << 10;
inline constexpr std::string_view kNoResult = "none";
inline constexpr std::string_view kResultKept = "kept";
inline constexpr std::string_view kResultTooLarge = "too_large";
inline constexpr std::string_view kResultNotJson = "not_json";
inline constexpr std::string_view kResultLost = "lost";  // it could not be read or stored

// How the daemon gives orders to a shim besides SIGTERM: this signal, queued with a number as its
// value. Either a signal for the command's process group, or kStalled: the job failed to report its
// progress in time; stop it as at its time limit. Realtime signals are queued, so none is lost.
// Nobody reads it before kStartedMark.
inline int order_signal() {
  return SIGRTMIN;
}
inline constexpr int kStalled = 0;
inline constexpr const char* kStalledStep = "progress";  // in the status, with `timed_out`

// The launch spec: this header, then `groups` ids of 4 bytes, then NUL-terminated strings: token,
// boot id, working directory, cgroup folder (empty: none), stdin, result pipe, argv…, env…. Stdin
// is a path, opened as the task's user; or a name in the attempt's folder, opened as the shim's own
// user; or empty: /dev/null. The result pipe is a path or such a name, too.
inline constexpr std::uint32_t kSpecMagic = 0x54534b44;
inline constexpr std::uint32_t kSpecVersion = 5;
inline constexpr std::size_t kMaxSpecBytes = 4 << 20;
inline constexpr std::uint32_t kMaxSpecStrings = 4096;  // for argv, and for env
inline constexpr std::uint32_t kMaxSpecGroups = 65536;  // the kernel's NGROUPS_MAX

struct SpecHeader {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint32_t body_bytes;  // everything after the header
  std::uint32_t argc;
  std::uint32_t envc;
  std::uint32_t groups;
  std::uint32_t switch_user;  // 1: switch to uid, gid and groups; 0: keep the shim's identity
  std::uint32_t uid;
  std::uint32_t gid;
  ProcessAttributes process;
  // 1: the daemon is shielded from the OOM killer; its jobs must not be.
  std::uint32_t reset_oom_score;
  std::int64_t task;
  std::int64_t attempt;
  std::int64_t timeout_ms;  // 0 = none
  std::int64_t grace_ms;
  std::int64_t output_cap_bytes;  // per stream
};
static_assert(sizeof(SpecHeader) == 88);

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0u);
    table[i] = value;
  }
  return table;
}

// CRC-32 as in zip and Ethernet.
constexpr std::uint32_t crc32(std::string_view bytes) {
  constexpr auto kTable = make_crc_table();
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes)
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}
static_assert(crc32("123456789") == 0xcbf43926u);

}  // namespace taskd::shim
