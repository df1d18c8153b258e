#include "daemon/schedule/cron.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "daemon/base/ascii.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

using Names = std::vector<std::string_view>;

const Names kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                       "jul", "aug", "sep", "oct", "nov", "dec"};
const Names kWeekdays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Field {
  std::string_view title;
  int first;
  int last;
  const Names* names;  // of first, first + 1, …; null = none
};

constexpr int kMinute = 0;
constexpr int kHour = 1;
constexpr int kDay = 2;
constexpr int kMonth = 3;
constexpr int kWeekday = 4;

const std::array<Field, 5> kFields = {{{"minute", 0, 59, nullptr},
                                       {"hour", 0, 23, nullptr},
                                       {"day of month", 1, 31, nullptr},
                                       {"month", 1, 12, &kMonths},
                                       {"day of week", 0, 7, &kWeekdays}}};

struct Word {
  std::string_view word;
  std::string_view line;
};
constexpr Word kWords[] = {{"@yearly", "0 0 1 1 *"},  {"@annually", "0 0 1 1 *"},
                           {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
                           {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
                           {"@hourly", "0 * * * *"}};

[[noreturn]] void refuse(const Field& field, std::string detail) {
  throw CronError{std::string(field.title), std::move(detail)};
}

// Blanks as in a crontab; CR and LF are the rest of a line end.
constexpr std::string_view kBlanks = " \t\r\n";

std::vector<std::string_view> split_fields(std::string_view text) {
  std::vector<std::string_view> fields;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = text.find_first_not_of(kBlanks, i);
    if (start == std::string_view::npos) break;
    i = std::min(text.find_first_of(kBlanks, start), text.size());
    fields.push_back(text.substr(start, i - start));
  }
  return fields;
}

// Crontabs write 05 for 5.
std::optional<int> parse_number(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

int parse_value(const Field& field, std::string_view text) {
  if (field.names != nullptr) {
    const auto name = std::find(field.names->begin(), field.names->end(), to_lower(text));
    if (name != field.names->end()) {
      return field.first + static_cast<int>(name - field.names->begin());
    }
  }
  const std::optional<int> value = parse_number(text);
  if (!value)
    refuse(field, in_quotes(text) + " is not a number" + (field.names ? " or a name" : ""));
  if (*value < field.first || *value > field.last) {
    refuse(field, std::to_string(*value) + " is not in " + std::to_string(field.first) + "-" +
                      std::to_string(field.last));
  }
  return *value;
}

struct Range {
  int first;
  int last;
};

Range parse_range(const Field& field, std::string_view text, bool has_step) {
  if (text == "*") return {field.first, field.last};
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) {
    const int value = parse_value(field, text);
    if (has_step) refuse(field, "a step needs a range or '*', not " + in_quotes(text));
    return {value, value};
  }
  Range range{parse_value(field, text.substr(0, dash)), parse_value(field, text.substr(dash + 1))};
  // A week may end with its Sunday: fri-sun.
  if (field.names == &kWeekdays && range.last == 0 && range.first > 0) range.last = 7;
  if (range.first > range.last) refuse(field, "the range " + in_quotes(text) + " goes backwards");
  return range;
}

template <std::size_t N>
void parse_field(const Field& field, std::string_view text, bool is_new, std::bitset<N>& set) {
  for (const std::string_view part : split(text, ',')) {
    const std::size_t slash = part.find('/');
    const bool has_step = slash != std::string_view::npos;
    const Range range = parse_range(field, part.substr(0, slash), has_step);
    int step = 1;
    if (has_step) {
      const auto given = parse_number(part.substr(slash + 1));
      if (!given || *given == 0) {
        refuse(field, in_quotes(part.substr(slash + 1)) + " is not a step of 1 or more");
      }
      step = *given;
      const int values = range.last - range.first + 1;
      // A step equal to the number of values is intended: */60 is once an hour.
      if (is_new && step > values) {
        refuse(field, "the step " + std::to_string(step) + " is larger than its range of " +
                          std::to_string(values) + ", so only " + std::to_string(range.first) +
                          " would match; longer intervals are set as an interval, without a cron "
                          "line");
      }
    }
    // Sunday is 0 and 7.
    for (int i = range.first; i <= range.last; i += step) {
      set.set(static_cast<std::size_t>(N == 7 ? i % 7 : i));
    }
  }
}

bool ever_comes(const Cron& cron) {
  if (!cron.any_weekday) return true;  // every weekday occurs in every month
  constexpr int kLongest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (std::size_t month = 1; month <= 12; ++month) {
    for (int day = 1; cron.months[month] && day <= kLongest[month]; ++day) {
      if (cron.days[static_cast<std::size_t>(day)]) return true;
    }
  }
  return false;
}

Cron parse_line(std::string_view text, bool is_new) {
  const std::vector<std::string_view> fields = split_fields(text);
  if (fields.size() != kFields.size()) {
    throw CronError{"", "expected 5 fields (minute, hour, day of month, month, day of week), not " +
                            std::to_string(fields.size())};
  }
  Cron cron;
  parse_field(kFields[kMinute], fields[kMinute], is_new, cron.minutes);
  parse_field(kFields[kHour], fields[kHour], is_new, cron.hours);
  parse_field(kFields[kDay], fields[kDay], is_new, cron.days);
  parse_field(kFields[kMonth], fields[kMonth], is_new, cron.months);
  parse_field(kFields[kWeekday], fields[kWeekday], is_new, cron.weekdays);
  cron.every_hour = fields[kHour].front() == '*';
  cron.any_day = fields[kDay].front() == '*';
  cron.any_weekday = fields[kWeekday].front() == '*';
  if (!ever_comes(cron)) {
    throw CronError{"day of month", "no month given has such a day: this never fires"};
  }
  return cron;
}

std::string_view line_of(std::string_view text) {
  if (text.empty() || text.front() != '@') return text;
  std::string known;
  for (const Word& word : kWords) {
    if (word.word == to_lower(text)) return word.line;
    known += known.empty() ? "" : " ";
    known += word.word;
  }
  throw CronError{"", in_quotes(text) + " is not one of " + known};
}

std::variant<Cron, CronError> parse(std::string_view text, bool is_new) {
  if (text.size() > kMaxCronBytes) {
    return CronError{"", "longer than " + std::to_string(kMaxCronBytes) + " bytes"};
  }
  try {
    const std::string line = tidy_cron(text);
    return parse_line(line_of(line), is_new);
  } catch (CronError& error) {
    return std::move(error);
  }
}

}  // namespace

std::string tidy_cron(std::string_view text) {
  std::string line;
  for (const std::string_view field : split_fields(text))
    line.append(line.empty() ? "" : " ").append(field);
  return line;
}

bool Cron::matches_day(int month, int day, int weekday) const {
  if (!months[static_cast<std::size_t>(month)]) return false;
  const bool day_matches = days[static_cast<std::size_t>(day)];
  const bool weekday_matches = weekdays[static_cast<std::size_t>(weekday)];
  if (any_day || any_weekday) return day_matches && weekday_matches;
  return day_matches || weekday_matches;
}

std::variant<Cron, CronError> parse_cron(std::string_view text) {
  return parse(text, /*is_new=*/false);
}

std::variant<Cron, CronError> parse_new_cron(std::string_view text) {
  return parse(text, /*is_new=*/true);
}

}  // namespace taskd
