// Lets threads wait for a task's next change without polling the store.
//
// Thread-safe. To miss no change: take a ticket, read the task from the store, and if it is not in
// the state you want, wait for the ticket's fd.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <unordered_map>

#include "daemon/base/event_fd.h"
#include "daemon/base/mutex.h"
#include "daemon/store/task_store.h"

namespace taskd {

class TaskWatch {
 public:
  class Ticket {
   public:
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    // Readable once the task has changed since the last clear(), or the watch was closed.
    int fd() const { return event_.get(); }
    void clear();

   private:
    friend class TaskWatch;
    Ticket(TaskWatch& watch, TaskId task);
    TaskWatch& watch_;
    const TaskId task_;
    EventFd event_;
  };

  // Throws std::system_error when it gets no descriptor.
  std::unique_ptr<Ticket> watch(TaskId task);

  // Notifies the tickets of these tasks. Called from the store's on_commit.
  void publish(std::span<const Change> changes);

  // For shutdown: makes every ticket readable, present and future.
  void close();
  bool closed() const { return closed_.load(); }

 private:
  Mutex mutex_;
  std::unordered_multimap<TaskId, Ticket*> tickets_ TASKD_GUARDED_BY(mutex_);
  std::atomic<bool> closed_{false};
};

}  // namespace taskd
