// How option values are read and written: the building blocks of the table of options.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <type_traits>

#include "daemon/base/json_writer.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/submit_limits.h"
#include "daemon/task/task_option.h"

namespace taskd {

// Returns the member, which belongs to TaskSpec or to one of its parts.
template <auto member, class Spec>
auto& member_of(Spec& spec) {
  using Member = decltype(member);
  if constexpr (std::is_invocable_v<Member, Spec&>) {
    return spec.*member;
  } else if constexpr (std::is_invocable_v<Member, StartConstraints&>) {
    return spec.constraints.*member;
  } else {
    return spec.process.*member;
  }
}

const TaskSpec& default_spec();

template <auto member>
bool is_default(const TaskSpec& spec) {
  return member_of<member>(spec) == member_of<member>(default_spec());
}

template <auto member>
void write_plain(JsonWriter& writer, const TaskSpec& spec, ValueForm) {
  writer.value(member_of<member>(spec));
}

template <auto member, std::int64_t min, std::int64_t max>
inline constexpr OptionValue kInteger = {
    [](FieldReader& reader, const nlohmann::json& value, const std::string& at, NewTask& task) {
      reader.integer(value, at, min, max, member_of<member>(task.spec));
    },
    is_default<member>, write_plain<member>};

template <auto member>
inline constexpr OptionValue kDuration = {
    [](FieldReader& reader, const nlohmann::json& value, const std::string& at, NewTask& task) {
      reader.duration(value, at, member_of<member>(task.spec));
    },
    is_default<member>, write_plain<member>};

// One of an enum's words; `words` lists them for errors.
template <auto member, auto parse, const char* words>
inline constexpr OptionValue kWord = {
    [](FieldReader& reader, const nlohmann::json& value, const std::string& at, NewTask& task) {
      reader.word(value, at, parse, words, member_of<member>(task.spec));
    },
    is_default<member>,
    [](JsonWriter& writer, const TaskSpec& spec, ValueForm) {
      writer.value(to_string(member_of<member>(spec)));
    }};

namespace option_value {
extern const OptionValue argv, shell, handler, payload, name, queue, priority, env, cwd, umask,
    stdin_source, user, labels, delay, run_at, hold, backoff, retry_on, no_retry_on, notify, array;
// start_constraints_json.cc
extern const OptionValue key, resources, unique, depends_on;
}  // namespace option_value

}  // namespace taskd
