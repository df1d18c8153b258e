// Time zones of the IANA database, as the system has it (tzdata). Abseil reads them, since it goes
// on with a zone's rule after the year 2037, where the tables end.
//
// Threading: a Zone never changes and may be shared. Zones that were loaded stay in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace taskd {

struct LocalDate {
  std::int64_t year = 1970;
  int month = 1;
  int day = 1;
  auto operator<=>(const LocalDate&) const = default;
};

LocalDate add_days(const LocalDate& date, int days);
int weekday(const LocalDate& date);  // 0 = Sunday

// What a time on the wall is worth as instants.
struct LocalMoment {
  enum class Kind { once, skipped, doubled };
  Kind kind = Kind::once;
  WallTime at;      // once: the instant; doubled: the first; skipped: the first after the gap
  WallTime second;  // doubled: the second; else the same as `at`
};

class Zone {
 public:
  // Nothing for a name the database does not have. Names are letters, digits, '_', '-', '+' and
  // '/', so none leads out of the database.
  static std::optional<Zone> load(std::string_view name);
  // The zone of this machine by its name (TZ, /etc/localtime); "UTC" where it has none.
  static std::string system_name();

  const std::string& name() const;
  LocalDate date_at(WallTime time) const;
  LocalMoment moment(const LocalDate& date, int hour, int minute) const;
  // "2026-03-29T03:00:00+02:00": the time on the wall with its distance from UTC.
  std::string format(WallTime time) const;

 private:
  struct Impl;
  explicit Zone(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace taskd
