// Connections for reads, opened on demand and kept. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/store/db/connection.h"

namespace taskd {

class ReaderPool {
 public:
  explicit ReaderPool(std::string path) : path_(std::move(path)) {}

  // A connection with an open read transaction: everything read through it is one snapshot.
  class Lease {
   public:
    explicit Lease(ReaderPool& pool);
    ~Lease();
    Lease(const Lease&) = delete;
    Reader& db() { return *connection_; }

   private:
    ReaderPool& pool_;
    std::unique_ptr<Reader> connection_;
  };

 private:
  std::unique_ptr<Reader> take();
  void give_back(std::unique_ptr<Reader> connection);

  const std::string path_;
  Mutex mutex_;
  CondVar returned_;
  std::vector<std::unique_ptr<Reader>> idle_ TASKD_GUARDED_BY(mutex_);
  int open_ TASKD_GUARDED_BY(mutex_) = 0;
};

}  // namespace taskd
