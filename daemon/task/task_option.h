// The options of a task: the fields of a submit, each described once. Everything that reads,
// writes, defaults, edits or explains an option uses the table in task_options.cc. To add an
// option, add a member to TaskSpec or one of its structs, an entry to the table, and the code that
// acts on it; CONTRIBUTING.md has the steps.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "daemon/task/task.h"

namespace taskd {

class FieldReader;
class JsonWriter;

enum class ValueForm {
  stored,  // complete, so that it can be read back
  answer,  // secrets are masked
};

// One value in a TaskSpec, of one type. The functions are pure.
struct OptionValue {
  // `at` is the value's pointer. The reader knows who wrote it (field_reader.h).
  void (*read)(FieldReader&, const nlohmann::json& value, const std::string& at, NewTask&);
  bool (*is_default)(const TaskSpec&);
  // Null: only a submit has it, a spec does not.
  void (*write)(JsonWriter&, const TaskSpec&, ValueForm);
};

// How to interpret a flag's argument. In the configuration file, only times, rates and sizes are
// text where JSON has numbers.
enum class FlagText {
  none,       // no argument: true
  text,       // taken literally, UTF-8
  bytes,      // taken literally, any bytes
  path,       // relative to taskctl's working folder
  input,      // a path, or - for taskctl's own standard input
  document,   // JSON, @FILE, or - for standard input
  number,     // an integer
  priority,   // an integer or a word
  time,       // "15m": milliseconds
  rate,       // "10/1m"
  moment,     // a point in time
  range,      // "1-100%4"
  // The flags from here on may be repeated.
  matches,    // "1,2,timeout", collected from all occurrences
  texts,      // one per occurrence
  pairs,      // "K=V" per occurrence
  amounts,    // "gpu=1,memory=8G", collected from all occurrences
  variables,  // "K=V" per occurrence, or "K" for the variable of taskctl itself
  tasks,      // "12,15-20:any", collected from all occurrences
};

struct OptionFlag {
  std::string_view names;  // "-q,--queue"; of a setting without a flag only `member` is set
  std::string_view value;  // "NAME", as shown by --help
  FlagText text = FlagText::text;
  std::string_view help;
  std::string_view member = {};  // of the option's object: "kind"; "" = the whole option

  std::string_view long_name() const {
    return names.empty() ? names : names.substr(names.find("--"));
  }
  bool is_repeatable() const { return text >= FlagText::matches; }
};

enum class Kept {
  column,  // in a column of the task's row, written by the store
  spec,    // in the stored spec
  links,   // as links to other tasks
  start,   // not stored: it determines the task's first state
};
// Whether answers have the field: always, only if it differs from the default, or never.
enum class Answered { always, if_given, never };
// Whose defaults may set it.
enum class DefaultOf { nothing, handler, queue_and_handler };

struct TaskOption {
  std::string_view field;  // in JSON; a time's name ends in "_ms"
  std::string_view type;   // with its limits and default, for the API document
  std::string_view meaning;
  const OptionValue* value;
  std::array<OptionFlag, 4> flags = {};
  Kept kept = Kept::spec;
  Answered answered = Answered::always;
  DefaultOf default_of = DefaultOf::nothing;
  bool is_of_handler = false;            // set by a handler, never by a task that has one
  std::string_view why_not_edited = {};  // "" = an edit may change it
  bool in_schedule = true;               // allowed in a schedule's task
  std::string_view shown_as = {};        // heading in `taskctl show`; "" = formatted specially
  // The value that taskctl takes from its own process if the flag is missing; null JSON: none. Not
  // thread-safe: the umask can only be read by setting it.
  nlohmann::json (*of_caller)() = nullptr;
};

std::span<const TaskOption> task_options();
// Returns null if there is none of that name.
const TaskOption* find_task_option(std::string_view field);

// TaskOption::is_of_handler of the option with that name.
bool is_of_handler(std::string_view field);

// "timeout_ms" -> "timeout", the name in flags and the configuration file.
std::string_view without_unit(std::string_view field);

// The table of the API document.
std::string task_options_table();

}  // namespace taskd
