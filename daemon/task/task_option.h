// The options of a task: what a submit may say of it, each described once. Whatever reads, writes,
// defaults, edits or explains an option goes by the table in task_options.cc. To add one takes a
// member of TaskSpec (task.h), an entry of the table, and what obeys it.
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

enum class Form {
  stored,  // in full; it reads back as it was
  answer,  // secrets are masked
};

// A value of one type, somewhere in a TaskSpec. The functions are pure.
struct OptionValue {
  // `at` is the value's pointer. The reader knows who wrote it (field_reader.h).
  void (*read)(FieldReader&, const nlohmann::json& value, const std::string& at, NewTask&);
  bool (*is_default)(const TaskSpec&);
  void (*write)(JsonWriter&, const TaskSpec&, Form);  // null: of a submit alone, not of a spec
};

// What the text after a flag means. In the configuration file only times, rates and sizes are texts
// that JSON has as numbers.
enum class FlagText {
  none,       // it takes none: true
  text,       // as it is, in UTF-8
  bytes,      // as it is, whatever bytes
  path,       // from taskctl's working folder
  input,      // such a path, or - for taskctl's own standard input
  document,   // JSON, @FILE, or - for standard input
  number,     // an integer
  priority,   // an integer or a word
  time,       // "15m": milliseconds
  rate,       // "10/1m"
  moment,     // a point in time
  range,      // "1-100%4"
  matches,    // "1,2,timeout" of all occurrences
  texts,      // one of each occurrence
  pairs,      // "K=V" of each occurrence
  amounts,    // "gpu=1,memory=8G" of all occurrences
  variables,  // "K=V", or "K" for taskctl's own, of each occurrence
  tasks,      // "12,15-20:any" of all occurrences
};

struct OptionFlag {
  std::string_view names;  // "-q,--queue"; of a setting without a flag only its member is set
  std::string_view value;  // "NAME", as --help calls it
  FlagText text = FlagText::text;
  std::string_view help;
  std::string_view member = {};  // of the option's object: "kind"; "": the option as a whole

  std::string_view long_name() const {
    return names.empty() ? names : names.substr(names.find("--"));
  }
  bool is_repeatable() const { return text >= FlagText::matches; }
};

enum class Kept {
  column,  // a column of the task's row, and the store's business
  spec,    // in the stored spec
  links,   // as links to other tasks
  start,   // not as such: it says how the task starts out
};
enum class Answered { always, if_given, never };
enum class DefaultOf { nothing, handler, queue_and_handler };

struct TaskOption {
  std::string_view field;  // in JSON; a time's ends in "_ms"
  std::string_view type;   // with its limits and the default, for the API document
  std::string_view meaning;
  const OptionValue* value;
  std::array<OptionFlag, 4> flags = {};
  Kept kept = Kept::spec;
  Answered answered = Answered::always;
  DefaultOf default_of = DefaultOf::nothing;
  bool is_of_handler = false;  // a handler says it, and no task that has one
  std::string_view why_not_edited = {};  // "": an edit may change it
  bool in_schedule = true;               // a schedule's task may have it
  std::string_view shown_as = {};  // its heading in `taskctl show`; "": that has words of its own
  // What taskctl says of itself unless the flag says otherwise. Null JSON: nothing to say.
  nlohmann::json (*of_caller)() = nullptr;
};

std::span<const TaskOption> task_options();
// Null: there is none of that name.
const TaskOption* find_task_option(std::string_view field);

// Whether it is an option that a handler says, and no task that has one.
bool is_of_handler(std::string_view field);

// "timeout" of "timeout_ms": as flags and the configuration file call it.
std::string_view without_unit(std::string_view field);

// The table of the API document.
std::string task_options_table();

}  // namespace taskd
