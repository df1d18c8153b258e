// Time zones of the system's IANA database (tzdata). Read with Abseil, which applies a zone's rule
// beyond the year 2037, where the tables end.
//
// Threading: a Zone is immutable and may be shared. Loaded zones stay in memory.
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

// The instants that a local time corresponds to.
struct LocalMoment {
  enum class Kind { once, skipped, doubled };
  Kind kind = Kind::once;
  WallTime at;      // once: the instant; doubled: the first; skipped: the first after the gap
  WallTime second;  // doubled: the second; else the same as `at`
};

class Zone {
 public:
  // Returns nothing for a name that is not in the database. Names consist of letters, digits, '_',
  // '-', '+' and '/', so they cannot lead out of the database.
  static std::optional<Zone> load(std::string_view name);
  // The name of this machine's zone (TZ, /etc/localtime), or "UTC".
  static std::string system_name();

  const std::string& name() const;
  LocalDate date_at(WallTime time) const;
  LocalMoment moment(const LocalDate& date, int hour, int minute) const;
  // Local time with its UTC offset: "2026-03-29T03:00:00+02:00".
  std::string format(WallTime time) const;

 private:
  struct Impl;
  explicit Zone(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace taskd
