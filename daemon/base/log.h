// The daemon's log: lines of "message key=value …" to stderr or the journal, through spdlog. Keys
// are snake_case (task, attempt, queue, error). Values are escaped, so foreign text can neither
// forge a line nor control a terminal. Thread-safe once configured.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace taskd::log {

enum class Level { debug, info, warn, error };

struct Field {
  std::string_view key;
  std::string value;
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
};
using Fields = std::initializer_list<Field>;

// Call once, before other threads start. With `to_journal`, lines go to the journal with their
// priority; otherwise to stderr with a timestamp.
void configure(Level level, bool to_journal);

void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

}  // namespace taskd::log
