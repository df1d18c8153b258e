#include "daemon/schedule/zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "daemon/base/ascii.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxNameBytes = 64;

bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name.front() == '/') return false;
  for (const char c : name) {
    if (!is_letter_or_digit(c) && c != '_' && c != '-' && c != '+' && c != '/') return false;
  }
  return true;
}

// Abseil remembers forever each name that it could not load, so it is asked only for existing ones.
bool is_in_database(std::string_view name) {
  if (name == "UTC") return true;
  const char* folder = std::getenv("TZDIR");
  std::error_code error;
  return std::filesystem::is_regular_file(
      std::filesystem::path(folder != nullptr ? folder : "/usr/share/zoneinfo") / name, error);
}

absl::CivilDay to_civil(const LocalDate& date) {
  return absl::CivilDay(date.year, date.month, date.day);
}

LocalDate to_date(absl::CivilDay day) {
  return {day.year(), day.month(), day.day()};
}

WallTime to_wall(absl::Time time) {
  return {absl::ToUnixMillis(time)};
}

}  // namespace

struct Zone::Impl {
  std::string name;
  absl::TimeZone zone;
};

LocalDate add_days(const LocalDate& date, int days) {
  return to_date(to_civil(date) + days);
}

int weekday(const LocalDate& date) {
  // Abseil's week begins on Monday.
  return (static_cast<int>(absl::GetWeekday(to_civil(date))) + 1) % 7;
}

std::optional<Zone> Zone::load(std::string_view name) {
  if (!is_zone_name(name) || !is_in_database(name)) return std::nullopt;
  auto impl = std::make_shared<Impl>();
  impl->name = name;
  if (!absl::LoadTimeZone(impl->name, &impl->zone)) return std::nullopt;
  return Zone(std::move(impl));
}

std::string Zone::system_name() {
  const char* variable = std::getenv("TZ");
  if (variable != nullptr) {
    const std::string_view name(*variable == ':' ? variable + 1 : variable);
    return load(name) ? std::string(name) : "UTC";
  }
  std::error_code error;
  const std::string target = std::filesystem::read_symlink("/etc/localtime", error).string();
  constexpr std::string_view kDatabase = "zoneinfo/";
  const std::size_t start = target.rfind(kDatabase);
  if (error || start == std::string::npos) return "UTC";
  const std::string name = target.substr(start + kDatabase.size());
  return load(name) ? name : "UTC";
}

const std::string& Zone::name() const {
  return impl_->name;
}

LocalDate Zone::date_at(WallTime time) const {
  return to_date(absl::ToCivilDay(absl::FromUnixMillis(time.ms), impl_->zone));
}

LocalMoment Zone::moment(const LocalDate& date, int hour, int minute) const {
  const absl::CivilSecond wall(date.year, date.month, date.day, hour, minute);
  const absl::TimeZone::TimeInfo info = impl_->zone.At(wall);
  switch (info.kind) {
    case absl::TimeZone::TimeInfo::SKIPPED:
      return {LocalMoment::Kind::skipped, to_wall(info.trans), to_wall(info.trans)};
    case absl::TimeZone::TimeInfo::REPEATED:
      return {LocalMoment::Kind::doubled, to_wall(info.pre), to_wall(info.post)};
    case absl::TimeZone::TimeInfo::UNIQUE:
      break;
  }
  return {LocalMoment::Kind::once, to_wall(info.pre), to_wall(info.pre)};
}

std::string Zone::format(WallTime time) const {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%S%Ez", absl::FromUnixMillis(time.ms), impl_->zone);
}

}  // namespace taskd
