#include "daemon/store/task_store.h"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <system_error>

#include "daemon/base/errors.h"
#include "daemon/store/ballast.h"
#include "daemon/store/migrator.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

// Why the database cannot be opened, with what can be done about it.
UsageError explain(const std::string& path, const SQLite::Exception& error) {
  const std::string says = std::string(" (") + error.what() + ").";
  switch (error.getErrorCode() & 0xff) {
    case SQLITE_NOTADB:
      return {65, path + " is not a taskd database, so it is left alone. Name another file."};
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:  // a table or column is missing
    case SQLITE_CONSTRAINT:
      return {65, "The database " + path + " is damaged" + says +
                      " Restore a backup, or move the file away to start with an empty one."};
    case SQLITE_FULL:
      return {73, "The disk that holds the database " + path + " is full. Free some space."};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {75, "Another program holds the database " + path + " locked" + says};
    case SQLITE_READONLY:
      return {73, "The database " + path + " or its folder is read-only" + says};
    default:
      return {73, "The database " + path + " cannot be read and written" + says +
                      " Check the permissions of the file and its folder, and the disk."};
  }
}

std::int64_t count_start(Connection& db, const StoreOptions& options) {
  db.run("BEGIN IMMEDIATE");
  db.run("UPDATE daemon SET generation = generation + 1");
  std::int64_t generation = 0;
  {
    Query row = db.query("SELECT generation FROM daemon");
    if (!row.step()) throw std::runtime_error("the table daemon is empty");
    generation = row.int64(0);
  }
  QueueTable queues;
  Transaction(db, queues, Outbox(options), options.clock->wall_now(), generation,
              options.commit_budget_us)
      .add_event(std::nullopt, std::nullopt,
                 {.type = "daemon_started", .detail = "boot_id=" + options.boot_id});
  db.run("COMMIT");
  return generation;
}

// Running jobs need their daemon on a full disk too: the ballast pays for its start.
std::int64_t count_start_on_any_disk(Connection& db, const StoreOptions& options) {
  try {
    return count_start(db, options);
  } catch (const SQLite::Exception& error) {
    if (error.getErrorCode() != SQLITE_FULL) throw;
    if (db.in_transaction()) db.run("ROLLBACK");
    if (!Ballast(options.path + kBallastSuffix, options.ballast_bytes).give_up()) throw;
  }
  return count_start(db, options);
}

}  // namespace

std::string_view to_string(Verb verb) {
  switch (verb) {
    case Verb::cancel:
      return "cancel";
    case Verb::retry:
      return "retry";
    case Verb::hold:
      return "hold";
    case Verb::release:
      return "release";
    case Verb::remove:
      return "remove";
    case Verb::signal:
      return "signal";
    case Verb::move:
      return "move";
  }
  return "";
}

std::unique_ptr<TaskStore> TaskStore::open(StoreOptions options) {
  try {
    Connection db = Connection::open_writer(options.path);
    migrate(db.database(), options.path);
    const std::int64_t generation = count_start_on_any_disk(db, options);
    auto impl = std::make_unique<Impl>(std::move(db), options, generation);
    // A reader that cannot be opened is to show now, not at the first request.
    impl->read([](Connection& reader) { return reader.in_transaction(); });
    std::unique_ptr<TaskStore> store(new TaskStore(std::move(impl)));
    store->load_queue_defaults();
    store->load_users();
    return store;
  } catch (const SQLite::Exception& error) {
    throw explain(options.path, error);
  } catch (const std::system_error& error) {
    throw UsageError(73, std::string(error.what()) + ".");
  } catch (const std::runtime_error& error) {
    if (dynamic_cast<const UsageError*>(&error) != nullptr) throw;
    throw UsageError(65, "The database " + options.path + " is damaged (" + error.what() +
                             "). Restore a backup, or move the file away.");
  }
}

TaskStore::TaskStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TaskStore::~TaskStore() = default;

std::int64_t TaskStore::generation() const {
  return impl_->generation;
}

}  // namespace taskd
