// std::mutex and friends, wrapped once so that clang's thread-safety analysis can see them
// (it ignores libstdc++'s own types). With GCC the annotations vanish.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#if defined(__clang__)
#define TASKD_ANNOTATE(x) __attribute__((x))
#else
#define TASKD_ANNOTATE(x)
#endif

#define TASKD_CAPABILITY TASKD_ANNOTATE(capability("mutex"))
#define TASKD_SCOPED TASKD_ANNOTATE(scoped_lockable)
#define TASKD_GUARDED_BY(x) TASKD_ANNOTATE(guarded_by(x))
#define TASKD_REQUIRES(...) TASKD_ANNOTATE(requires_capability(__VA_ARGS__))
#define TASKD_EXCLUDES(...) TASKD_ANNOTATE(locks_excluded(__VA_ARGS__))
#define TASKD_ACQUIRE(...) TASKD_ANNOTATE(acquire_capability(__VA_ARGS__))
#define TASKD_RELEASE(...) TASKD_ANNOTATE(release_capability(__VA_ARGS__))

namespace taskd {

class TASKD_CAPABILITY Mutex {
 public:
  void lock() TASKD_ACQUIRE() { mutex_.lock(); }
  void unlock() TASKD_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class TASKD_SCOPED MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TASKD_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() TASKD_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with a Mutex held. Waits may wake up early, so callers loop over their condition.
class CondVar {
 public:
  void wait(Mutex& mutex) TASKD_REQUIRES(mutex) { cv_.wait(mutex); }
  void wait_for(Mutex& mutex, std::int64_t ms) TASKD_REQUIRES(mutex) {
    cv_.wait_for(mutex, std::chrono::milliseconds(ms));
  }
  void notify_one() { cv_.notify_one(); }
  void notify_all() { cv_.notify_all(); }

 private:
  std::condition_variable_any cv_;
};

}  // namespace taskd
