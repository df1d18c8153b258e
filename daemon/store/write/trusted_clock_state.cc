// The trusted clock's state that survives restarts.
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

std::optional<TrustedClock::Point> load_point(Connection& db, const std::string& boot_id) {
  Query row = db.query(
      "SELECT clock_wall_ms, clock_boot_ms, clock_ahead_since_ms FROM store"
      " WHERE clock_boot_id = ?1");
  if (!row.bind(boot_id).step()) return std::nullopt;
  TrustedClock::Point point{row.time(0), {row.int64(1)}};
  if (!row.is_null(2)) point.ahead_since = BootTime{row.int64(2)};
  return point;
}

// The time of an earlier daemon's latest activity.
std::optional<WallTime> last_seen(Connection& db, std::int64_t generation) {
  Query row = db.query("SELECT at_ms FROM events WHERE generation < ?1 ORDER BY seq DESC LIMIT 1");
  if (!row.bind(generation).step()) return std::nullopt;
  return row.time(0);
}

}  // namespace

TrustedClock::Point StoreExecution::clock_point() {
  const auto known =
      impl_->read([&](Connection& db) { return load_point(db, impl_->options.boot_id); });
  if (known) return *known;
  const std::int64_t generation = impl_->identity.generation;
  const auto seen = impl_->read([&](Connection& db) { return last_seen(db, generation); });
  const TrustedClock::Point point = TrustedClock::first_point(*impl_->options.clock, seen);
  if (impl_->provenance != Provenance::copy) keep_clock_point(point);
  return point;
}

void StoreExecution::keep_clock_point(const TrustedClock::Point& point) {
  const std::optional<std::int64_t> ahead_since_ms =
      point.ahead_since ? std::optional(point.ahead_since->ms) : std::nullopt;
  impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
    transaction.db().run(
        "UPDATE store SET clock_boot_id = ?1, clock_wall_ms = ?2, clock_boot_ms = ?3,"
        " clock_ahead_since_ms = ?4",
        impl_->options.boot_id, point.wall, point.boot.ms, ahead_since_ms);
  });
}

}  // namespace taskd
