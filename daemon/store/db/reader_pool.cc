#include "daemon/store/db/reader_pool.h"

#include <SQLiteCpp/Exception.h>

namespace taskd {
namespace {

constexpr int kMaxReaders = 8;  // each may hold 2 MiB of cache

}  // namespace

ReaderPool::Lease::Lease(ReaderPool& pool) : pool_(pool), connection_(pool.take()) {
  try {
    connection_->run("BEGIN");
  } catch (...) {
    pool_.give_back(nullptr);
    throw;
  }
}

ReaderPool::Lease::~Lease() {
  try {
    connection_->roll_back();  // nothing was written
  } catch (const SQLite::Exception&) {
    connection_.reset();  // replaced by a new connection
  }
  pool_.give_back(std::move(connection_));
}

std::unique_ptr<Reader> ReaderPool::take() {
  {
    const MutexLock lock(mutex_);
    while (idle_.empty() && open_ == kMaxReaders) returned_.wait(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Reader> connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
    ++open_;
  }
  try {
    return std::make_unique<Reader>(path_);
  } catch (...) {
    give_back(nullptr);
    throw;
  }
}

// Null: the connection is gone.
void ReaderPool::give_back(std::unique_ptr<Reader> connection) {
  {
    const MutexLock lock(mutex_);
    if (connection) {
      idle_.push_back(std::move(connection));
    } else {
      --open_;
    }
  }
  returned_.notify_one();
}

}  // namespace taskd
