#include "daemon/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/systemd_sink.h>

#include <memory>

#include "daemon/base/text.h"

namespace taskd::log {
namespace {

std::shared_ptr<spdlog::sinks::sink> stderr_sink() {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();  // colours only on a tty
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v",
                                                                  spdlog::pattern_time_type::utc));
  return sink;
}

std::shared_ptr<spdlog::sinks::sink> journal_sink() {
  // The journal adds time and priority.
  return std::make_shared<spdlog::sinks::systemd_sink_mt>("taskctl");
}

// Starts with stderr, so that errors before configure() are visible.
spdlog::logger& logger() {
  static spdlog::logger instance("taskd", stderr_sink());
  return instance;
}

bool needs_quotes(std::string_view value) {
  return value.empty() || value.find_first_of(" =\"") != std::string_view::npos;
}

void append_field(std::string& line, const Field& field) {
  const std::string value = escape_for_humans(field.value);
  line.append(1, ' ').append(field.key).append(1, '=');
  if (!needs_quotes(value)) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"') line += '\\';
    line += c;
  }
  line += '"';
}

void write(spdlog::level::level_enum level, std::string_view message, Fields fields) {
  spdlog::logger& target = logger();
  if (!target.should_log(level)) return;
  std::string line = escape_for_humans(message);
  for (const Field& field : fields) append_field(line, field);
  target.log(level, spdlog::string_view_t(line));
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void configure(Level level, bool to_journal) {
  spdlog::logger& target = logger();
  target.sinks() = {to_journal ? journal_sink() : stderr_sink()};
  target.set_level(to_spdlog(level));
}

void debug(std::string_view message, Fields fields) {
  write(spdlog::level::debug, message, fields);
}
void info(std::string_view message, Fields fields) {
  write(spdlog::level::info, message, fields);
}
void warn(std::string_view message, Fields fields) {
  write(spdlog::level::warn, message, fields);
}
void error(std::string_view message, Fields fields) {
  write(spdlog::level::err, message, fields);
}

}  // namespace taskd::log
