#include "daemon/store/task_store.h"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "daemon/base/errors.h"
#include "daemon/base/log.h"
#include "daemon/base/random.h"
#include "daemon/store/db/ballast.h"
#include "daemon/store/db/files.h"
#include "daemon/store/db/identity.h"
#include "daemon/store/db/migrator.h"
#include "daemon/store/store_impl.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

// Trying again later may help; a service manager does.
constexpr int kTryAgain = 75;

// Explains why the database cannot be opened, and what to do about it.
UsageError explain(const std::string& path, const SQLite::Exception& error) {
  const std::string says = std::string(" (") + error.what() + ").";
  switch (failure_of(error)) {
    case Failure::no_space:
      return {kTryAgain, "The disk that holds the database " + path + " is full. Free some space."};
    case Failure::busy:
      if ((error.getErrorCode() & 0xff) == SQLITE_CANTOPEN) break;
      return {kTryAgain, "Another program holds the database " + path + " locked" + says};
    default:
      break;
  }
  switch (error.getErrorCode() & 0xff) {
    case SQLITE_NOTADB:
      return {65, path + " is not a taskd database, so it is left alone. Name another file."};
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:  // a table or column is missing
    case SQLITE_CONSTRAINT:
      return {65, "The database " + path + " is damaged" + says +
                      " Restore a backup, or move the file away to start with an empty one."};
    case SQLITE_READONLY:
      return {73, "The database " + path + " or its folder is read-only" + says};
    default:
      return {73, "The database " + path + " cannot be read and written" + says +
                      " Check the permissions of the file and its folder, and the disk."};
  }
}

// Durable when it returns: the generation and the identity.
void count_start(Connection& db, const StoreOptions& options, StoreIdentity& identity) {
  db.run("BEGIN IMMEDIATE");
  db.run("UPDATE store SET generation = ?1, id = ?2, epoch = ?3, spec_version = ?4",
         identity.generation, identity.id, identity.epoch, std::int64_t{kSpecVersion});
  if (db.run("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'tasks'", identity.newest_task) ==
          0 &&
      identity.newest_task > 0) {
    db.run("INSERT INTO sqlite_sequence (name, seq) VALUES ('tasks', ?1)", identity.newest_task);
  }
  QueueTable queues;
  Transaction(db, queues, Outbox(options), options.clock->wall_now(), identity.generation,
              options.commit_budget_us)
      .add_event(std::nullopt, std::nullopt,
                 {.type = "daemon_started",
                  .detail = "boot_id=" + options.boot_id +
                            " epoch=" + std::to_string(identity.epoch)});
  db.run("COMMIT");
}

// Running jobs need their daemon even on a full disk: the ballast provides the space for its start.
template <class F>
auto on_any_disk(const StoreOptions& options, F step) {
  try {
    return step();
  } catch (const SQLite::Exception& error) {
    if (failure_of(error) != Failure::no_space) throw;
    if (!Ballast(options.path + kBallastSuffix, options.ballast_bytes).give_up()) throw;
  } catch (const std::system_error& error) {
    const int code = error.code().value();
    if (code != ENOSPC && code != EDQUOT) throw;
    if (!Ballast(options.path + kBallastSuffix, options.ballast_bytes).give_up()) throw;
  }
  return step();
}

// A newer daemon may have written options that this one does not know.
void refuse_newer_specs(Connection& db, const std::string& path) {
  Query row = db.query("SELECT spec_version FROM store");
  if (!row.step() || row.int64(0) <= kSpecVersion) return;
  throw UsageError(78, path + " has specs of a newer taskd (version " +
                           std::to_string(row.int64(0)) + "; this one knows up to " +
                           std::to_string(kSpecVersion) +
                           "). Install that taskd again, or restore a backup.");
}

bool has_no_tables(Connection& db) {
  return !db.query("SELECT 1 FROM sqlite_schema LIMIT 1").step();
}

Connection open_database(const StoreOptions& options) {
  return on_any_disk(options, [&] {
    Connection db = Connection::open_writer(options.path);
    if (has_no_tables(db)) {
      refuse_new_database(options.path, options.folder_task, "holds no store");
    }
    migrate(db.database(), options.path);
    refuse_newer_specs(db, options.path);
    return db;
  });
}

// Throws SQLite::Exception for errors other than damage.
std::vector<std::string> look_through(Connection& db, bool full) {
  std::vector<std::string> found;
  try {
    Query rows =
        full ? db.query("PRAGMA integrity_check(100)") : db.query("PRAGMA quick_check(100)");
    while (rows.step()) found.push_back(rows.text(0));
  } catch (const SQLite::Exception& error) {
    if (failure_of(error) != Failure::fatal) throw;
    found.emplace_back(error.what());
  }
  if (found == std::vector<std::string>{"ok"}) found.clear();
  return found;
}

// Writes the mark before the commit of its epoch. If a crash falls between them, identity.cc can
// tell it from a copy.
void write_new_mark(const StoreOptions& options, const StoreIdentity& identity) {
  const auto write = [&] { return write_mark(mark_path(options.path), identity); };
  if (write()) return;
  if (Ballast(options.path + kBallastSuffix, options.ballast_bytes).give_up() && write()) return;
  throw UsageError(kTryAgain, "The disk that holds " + options.path + " is full. Free some space.");
}

// The folder holds files of attempts of another store whose mark is intact.
void refuse_foreign_folders(const StoreOptions& options, const FoundMark& found,
                            const StoreIdentity& identity) {
  if (options.folder_task == 0 || !found.mark || found.mark->self != found.self) return;
  if (found.mark->store.id == identity.id) return;
  throw UsageError(65, "The folder of " + options.path + " belongs to another store (" +
                           found.mark->store.id +
                           "), which has files of attempts there. Move its folder attempts away "
                           "first, or put the database into an empty folder.");
}

// The store's identity from this start on, durable when it returns.
StoreIdentity begin(Connection& db, const StoreOptions& options, const FoundMark& found,
                    StoreIdentity identity, Provenance provenance) {
  const bool is_new_epoch = provenance != Provenance::original;
  const TaskId before = identity.newest_task;
  identity.newest_task = std::max(identity.newest_task, options.folder_task);
  if (provenance == Provenance::restored && found.mark) {
    identity.id = found.mark->store.id;
    identity.epoch = std::max(identity.epoch, found.mark->store.epoch);
    identity.generation = std::max(identity.generation, found.mark->store.generation);
    identity.newest_task = std::max(identity.newest_task, found.mark->store.newest_task);
  }
  if (provenance == Provenance::copy) {
    refuse_foreign_folders(options, found, identity);
    identity.id = random_token();
  }
  if (is_new_epoch) {
    ++identity.epoch;
    write_new_mark(options, identity);
  }
  ++identity.generation;
  on_any_disk(options, [&] {
    db.roll_back();
    count_start(db, options, identity);
  });
  if (provenance == Provenance::restored) {
    log::warn(
        "this database is older than the files beside it: it was restored from a backup and "
        "continues in a new epoch",
        {{"path", options.path},
         {"epoch", identity.epoch},
         {"newest_task", before},
         {"next_task", identity.newest_task + 1}});
  }
  // Incomplete if the disk is full, which is harmless.
  write_mark(mark_path(options.path), identity);
  return identity;
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
    secure_store_files(options.path);
    refuse_lost_database(options.path, options.folder_task);
    bool was_left_open = has_wal(options.path);
    Connection db = open_database(options);
    if (was_left_open && size_of(options.path) <= options.check_at_open_bytes) {
      if (const auto found = look_through(db, /*full=*/false); !found.empty()) {
        throw std::runtime_error(found.front());
      }
      was_left_open = false;
    }
    StoreIdentity identity = read_identity(db);
    const FoundMark found = read_mark(mark_path(options.path));
    Provenance provenance = judge(identity, found.mark, found.self, options.folder_task);
    if (provenance != Provenance::copy || options.adopt_copy) {
      identity = begin(db, options, found, std::move(identity), provenance);
      db.leave_wal_on_close(false);
    }
    const bool adopted = provenance == Provenance::copy && options.adopt_copy;
    if (adopted) provenance = Provenance::original;
    auto impl =
        std::make_unique<StoreImpl>(std::move(db), options, std::move(identity), provenance);
    // Fail now if no reader can be opened, not at the first request.
    impl->read([](Connection& reader) { return reader.in_transaction(); });
    if (adopted) impl->write(WhenFull::use_ballast, give_up_running);
    impl->was_adopted = adopted;
    impl->was_left_open = was_left_open;
    std::unique_ptr<TaskStore> store(new TaskStore(std::move(impl)));
    store->load_queue_defaults();
    store->load_users();
    return store;
  } catch (const SQLite::Exception& error) {
    throw explain(options.path, error);
  } catch (const std::system_error& error) {
    const int code = error.code().value();
    const bool passes = code == ENOSPC || code == EDQUOT || code == EMFILE || code == ENFILE;
    throw UsageError(passes ? kTryAgain : 73, std::string(error.what()) + ".");
  } catch (const StoreUnavailable& error) {
    throw UsageError(kTryAgain, options.path + ": " + error.what() + ".");
  } catch (const std::runtime_error& error) {
    if (dynamic_cast<const UsageError*>(&error) != nullptr) throw;
    throw UsageError(65, "The database " + options.path + " is damaged (" + error.what() +
                             "). Restore a backup, or move the file away.");
  }
}

TaskStore::TaskStore(std::unique_ptr<StoreImpl> impl)
    : StoreTasks(*impl),
      StoreExecution(*impl),
      StoreQueues(*impl),
      StoreSchedules(*impl),
      StoreDeliveries(*impl),
      StoreUsers(*impl),
      impl_(std::move(impl)) {}

// Records in the mark how far this start came, so that an older database will be recognised.
TaskStore::~TaskStore() {
  try {
    if (impl_->provenance == Provenance::copy) return;
    const StoreIdentity last = impl_->read([](Connection& db) { return read_identity(db); });
    const std::string path = mark_path(impl_->options.path);
    impl_.reset();
    const FoundMark found = read_mark(path);
    if (judge(last, found.mark, found.self, 0) == Provenance::original) write_mark(path, last);
  } catch (const std::exception& error) {
    log::warn("cannot write the store's mark", {{"error", error.what()}});
  }
}

std::int64_t TaskStore::generation() const {
  return impl_->identity.generation;
}

const StoreIdentity& TaskStore::identity() const {
  return impl_->identity;
}

bool TaskStore::was_left_open() const {
  return impl_->was_left_open;
}

std::vector<std::string> TaskStore::find_damage(bool full, const std::function<bool()>& stop) {
  if (stop()) return {};
  try {
    Reader db(impl_->options.path);
    db.stop_when(stop);
    return look_through(db, full);
  } catch (const SQLite::Exception& error) {
    if ((error.getErrorCode() & 0xff) == SQLITE_INTERRUPT) return {};
    if (failure_of(error) == Failure::fatal) return {error.what()};
    throw StoreBusy(error.what());
  }
}

bool TaskStore::was_adopted() const {
  return impl_->was_adopted;
}

Provenance TaskStore::provenance() const {
  return impl_->provenance;
}

}  // namespace taskd
