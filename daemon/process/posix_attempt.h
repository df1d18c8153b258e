// A LiveAttempt whose shim is a real process: started here, or adopted after a restart; and one
// whose shim is gone.
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

// The end that the shim recorded, with the result that the job wrote and without what it printed.
std::optional<AttemptEnd> read_end(int folder_fd, const AttemptKey& key);

// What the folder tells of an attempt whose shim is dead: that end, or `not_started` if the lock
// file proves it. Nothing: something of it may be alive.
std::optional<AttemptEnd> recorded_end(int folder_fd, const AttemptKey& key,
                                       const AttemptStore& store);

// How an attempt ended whose shim is dead. Without a status: `not_started` if the lock file proves
// it, else `lost`, after what is left of the tree is dead. `cgroup` is the attempt's, or "".
// `server`, if there is one, may have forked the shim.
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
  // True: it will be read, unless the shim ends first. False: it has ended.
  bool order(int value) const;
  void log_deaf(int error) const;

  const AttemptKey key_;
  const AttemptStore store_;
  const UniqueFd folder_;
  const UniqueFd pidfd_;
  const UniqueFd launch_pipe_;
  const std::string cgroup_;
  const std::weak_ptr<ForkServer> server_;
  pid_t shim_;  // 0 = forgotten by the server
};

// An attempt that has no shim any more and no recorded end. Ready at once; reap() ends what is left
// of it, however long that takes to die, and then knows how it ended.
class AbandonedAttempt final : public LiveAttempt {
 public:
  // `folder` and `lock` are empty when there is none; the lock may still be held by something on
  // its way out. `problem`: why the folder or its lock cannot be used, if so.
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
