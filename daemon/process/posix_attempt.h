// LiveAttempts of the real launcher: with a shim, started here or adopted after a restart; and
// without one.
#pragma once

#include <memory>

#include "daemon/base/event_fd.h"
#include "daemon/base/unique_fd.h"
#include "daemon/process/attempt_folder.h"
#include "daemon/process/fork_server.h"
#include "daemon/process/launcher.h"

namespace taskd {

// An end that no shim recorded.
AttemptEnd unrecorded_end(OutcomeKind kind, int code, std::string detail);

// The end that the shim recorded, with the job's result but without its output.
std::optional<AttemptEnd> read_end(int folder_fd, const AttemptKey& key);

// The end of an attempt whose shim is dead, from its folder: the recorded end, or `not_started` if
// the lock file proves it. Nothing: processes may be alive.
std::optional<AttemptEnd> recorded_end(int folder_fd, const AttemptKey& key,
                                       const AttemptStore& store);

// The end of an attempt whose shim is dead. Without a status: `not_started` if the lock file proves
// it, or else `lost`, after killing the remaining processes. `cgroup` is the attempt's, or "".
// `server`, if any, may have forked the shim.
AttemptEnd conclude_attempt(int folder_fd, const AttemptKey& key, const AttemptStore& store,
                            const std::string& cgroup, ForkServer* server);

class PosixAttempt final : public LiveAttempt {
 public:
  // `gate` is empty for an adopted attempt. While it is open, the shim leaves the durable record of
  // the end to the daemon's COMMIT.
  PosixAttempt(AttemptKey key, AttemptStore store, UniqueFd folder, UniqueFd pidfd,
               UniqueFd launch_pipe, std::string cgroup, std::weak_ptr<ForkServer> server,
               pid_t shim);

  int pidfd() const override { return pidfd_.get(); }
  void stop() override;
  void stop_stalled() override;
  void wake() override;
  bool signal(int number) override;
  AttemptEnd reap() override;

 private:
  // Returns true if the shim will read it, unless it ends first; false if it has ended.
  bool order(int value) const;
  void log_deaf(int error) const;

  const AttemptKey key_;
  const AttemptStore store_;
  const UniqueFd folder_;
  const UniqueFd pidfd_;
  const UniqueFd launch_pipe_;
  const std::string cgroup_;
  const std::weak_ptr<ForkServer> server_;
  pid_t shim_;  // 0 = unknown to the server
};

// An attempt without a shim and without a recorded end. Its pidfd() is readable at once; reap()
// ends the remaining processes, however long that takes, and then determines the end.
class AbandonedAttempt final : public LiveAttempt {
 public:
  // `folder` and `lock` are empty if missing; an exiting process may still hold the lock.
  // `problem`: why the folder or its lock cannot be used, if so.
  AbandonedAttempt(AttemptKey key, AttemptStore store, UniqueFd folder, UniqueFd lock,
                   std::string cgroup, std::string problem = "");

  int pidfd() const override { return ready_.get(); }
  void stop() override {}
  void stop_stalled() override {}
  void wake() override {}
  bool signal(int) override { return false; }
  AttemptEnd reap() override;

 private:
  const AttemptKey key_;
  const AttemptStore store_;
  const UniqueFd folder_;
  UniqueFd lock_;
  const std::string cgroup_;
  const std::string problem_;
  const EventFd ready_;
};

}  // namespace taskd
