#include "daemon/task/start_constraints_json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "daemon/base/text.h"
#include "daemon/task/array_range.h"
#include "daemon/task/option_values.h"
#include "daemon/task/task_name.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxInt64 = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kMaxResourceNameBytes = 32;

// A user's key name, which must differ from the names that the daemon assigns.
void read_key_name(FieldReader& reader, const json& value, const std::string& at,
                   std::string& out) {
  const auto* text = reader.string(value, at);
  if (text == nullptr || !reader.plain(*text, at, kMaxKeyNameBytes)) return;
  const bool fits = reader.not_empty(*text, at) &&
                    reader.limit(!text->starts_with('#'), at, "must not begin with '#'");
  if (fits) out = *text;
}

constexpr JsonField<RateLimit> kRateFields[] = {
    {"count", [](FieldReader& reader, const json& value, const std::string& at,
                 RateLimit& rate) { reader.integer(value, at, 1, kMaxRateCount, rate.count); }},
    {"per_ms", [](FieldReader& reader, const json& value, const std::string& at,
                  RateLimit& rate) { reader.integer(value, at, 1, kMaxRatePerMs, rate.per_ms); }},
    {"burst",
     [](FieldReader& reader, const json& value, const std::string& at, RateLimit& rate) {
       if (!value.is_null()) reader.integer(value, at, 1, kMaxRateCount, rate.burst.emplace());
     }},
};

constexpr JsonField<KeyUse> kKeyFields[] = {
    {"name", [](FieldReader& reader, const json& value, const std::string& at,
                KeyUse& key) { read_key_name(reader, value, at, key.name); }},
    {"limit",
     [](FieldReader& reader, const json& value, const std::string& at, KeyUse& key) {
       if (!value.is_null()) reader.integer(value, at, 1, kMaxKeyLimit, key.limit.emplace());
     }},
    {"rate",
     [](FieldReader& reader, const json& value, const std::string& at, KeyUse& key) {
       if (!value.is_null()) read_rate_limit(reader, value, at, key.rate.emplace());
     }},
};

constexpr JsonField<Unique> kUniqueFields[] = {
    {"key", [](FieldReader& reader, const json& value, const std::string& at,
               Unique& unique) { read_key_name(reader, value, at, unique.key); }},
    {"for_ms",
     [](FieldReader& reader, const json& value, const std::string& at, Unique& unique) {
       if (!value.is_null()) reader.duration(value, at, unique.for_ms);
     }},
    {"while",
     [](FieldReader& reader, const json& value, const std::string& at, Unique& unique) {
       if (value.is_null()) return;
       reader.word(value, at, parse_unique_while, "\"queued\" or \"active\"",
                   unique.while_state.emplace());
     }},
};

constexpr JsonField<NamedDependency> kDependencyFields[] = {
    {"task",
     [](FieldReader& reader, const json& value, const std::string& at, NamedDependency& one) {
       std::int64_t id = 0;
       reader.integer(value, at, 1, kMaxInt64, id);
       one.tasks = std::to_string(id);
     }},
    {"array",
     [](FieldReader& reader, const json& value, const std::string& at, NamedDependency& one) {
       std::int64_t id = 0;
       reader.integer(value, at, 1, kMaxInt64, id);
       one.tasks = std::to_string(id) + one.tasks;  // before its index, which comes after it
       one.array = true;
     }},
    {"index",
     [](FieldReader& reader, const json& value, const std::string& at, NamedDependency& one) {
       std::int64_t index = 0;
       reader.integer(value, at, 0, kMaxArrayIndex, index);
       one.tasks += "[" + std::to_string(index) + "]";
     }},
    {"tasks",
     [](FieldReader& reader, const json& value, const std::string& at, NamedDependency& one) {
       const auto* text = value.get_ptr<const std::string*>();
       if (text == nullptr || !parse_task_name(*text))
         return reader.wrong_type(value, at, "a task's name, such as \"12-20\" or \"12[3]\"");
       one.tasks = *text;
     }},
    {"on",
     [](FieldReader& reader, const json& value, const std::string& at, NamedDependency& one) {
       reader.word(value, at, parse_dependency_on, "\"ok\", \"any\" or \"failed\"", one.on);
     }},
};

void read_dependency(FieldReader& reader, const json& value, const std::string& at,
                     NamedDependency& one) {
  if (value.is_number_integer()) {
    std::int64_t id = 0;
    reader.integer(value, at, 1, kMaxInt64, id);
    one.tasks = std::to_string(id);
    return;
  }
  if (!value.is_object()) return reader.wrong_type(value, at, "a task's id or an object");
  read_fields(reader, value, at, kDependencyFields, one);
  if (value.contains("task") + value.contains("array") + value.contains("tasks") != 1)
    return reader.complain(at, "exactly one of \"task\", \"array\" and \"tasks\" is needed");
  if (value.contains("index") && !value.contains("array"))
    reader.complain(at + "/index", "is for an \"array\"");
}

void write_rate(JsonWriter& writer, const RateLimit& rate) {
  writer.begin('{');
  writer.member("count", rate.count);
  writer.member("per_ms", rate.per_ms);
  if (rate.burst) writer.member("burst", *rate.burst);
  writer.end('}');
}

void read_key(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (value.is_null()) return;
  if (!value.is_object()) return reader.wrong_type(value, at, "an object or null");
  read_fields(reader, value, at, kKeyFields, task.spec.constraints.key);
  if (!value.contains("name")) reader.complain(at, "\"name\" is needed");
}

void write_key(JsonWriter& writer, const TaskSpec& spec, ValueForm) {
  const KeyUse& key = spec.constraints.key;
  if (key.name.empty()) return writer.null();
  writer.begin('{');
  writer.member("name", key.name);
  if (key.limit) writer.member("limit", *key.limit);
  if (key.rate) {
    writer.key("rate");
    write_rate(writer, *key.rate);
  }
  writer.end('}');
}

void read_resources(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object of integers");
  if (!reader.at_most(value.size(), kMaxResources, at, "resources")) return;
  for (const auto& [name, amount] : value.items()) {
    const std::string place = at + pointer_step(name);
    reader.limit(is_valid_resource_name(name), place, "is not a resource name");
    reader.integer(amount, place, 1, kMaxInt64, task.spec.constraints.resources[name]);
  }
}

void read_unique(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (value.is_null()) return;
  if (!value.is_object()) return reader.wrong_type(value, at, "an object or null");
  read_fields(reader, value, at, kUniqueFields, task.spec.constraints.unique);
  if (!value.contains("key")) reader.complain(at, "\"key\" is needed");
}

void write_unique(JsonWriter& writer, const TaskSpec& spec, ValueForm) {
  const Unique& unique = spec.constraints.unique;
  if (unique.key.empty()) return writer.null();
  writer.begin('{');
  writer.member("key", unique.key);
  if (unique.for_ms > 0) writer.member("for_ms", unique.for_ms);
  if (unique.while_state) writer.member("while", to_string(*unique.while_state));
  writer.end('}');
}

// A request names tasks; the stored form has their ids.
void read_depends_on(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (!value.is_array()) return reader.wrong_type(value, at, "an array of ids or objects");
  if (!reader.at_most(value.size(), kMaxDependencies, at, "items")) return;
  StartConstraints& constraints = task.spec.constraints;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string place = at + "/" + std::to_string(i);
    NamedDependency one;
    read_dependency(reader, value[i], place, one);
    if (reader.has_limits()) {
      if (!one.tasks.empty() && !seen.insert(one.tasks).second)
        reader.complain(place, "task " + one.tasks + " is named twice");
      constraints.named.push_back(std::move(one));
    } else if (const auto id = parse_int(one.tasks)) {
      constraints.depends_on.push_back({*id, one.on, one.array});
    } else {
      reader.complain(place, "must be a task's id");
    }
  }
}

void write_depends_on(JsonWriter& writer, const TaskSpec& spec, ValueForm) {
  writer.begin('[');
  for (const Dependency& dependency : spec.constraints.depends_on) {
    writer.begin('{');
    writer.member(dependency.whole_array ? "array" : "task", dependency.task);
    writer.member("on", to_string(dependency.on));
    writer.end('}');
  }
  writer.end(']');
}

}  // namespace

namespace option_value {

constinit const OptionValue key = {read_key, is_default<&StartConstraints::key>, write_key};
constinit const OptionValue resources = {read_resources, is_default<&StartConstraints::resources>,
                                         write_plain<&StartConstraints::resources>};
constinit const OptionValue unique = {read_unique, is_default<&StartConstraints::unique>,
                                      write_unique};
constinit const OptionValue depends_on = {
    read_depends_on, is_default<&StartConstraints::depends_on>, write_depends_on};

}  // namespace option_value

bool is_valid_resource_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxResourceNameBytes && is_letter_or_digit(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '_' || c == '-'; });
}

void read_rate_limit(FieldReader& reader, const json& value, const std::string& at,
                     RateLimit& rate) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object or null");
  read_fields(reader, value, at, kRateFields, rate);
  if (!value.contains("count") || !value.contains("per_ms"))
    reader.complain(at, "both \"count\" and \"per_ms\" are needed");
  if (rate.burst && *rate.burst > rate.count)
    reader.complain(at + "/burst", "must be at most \"count\"");
}

json rate_to_json(const std::optional<RateLimit>& rate) {
  if (!rate) return nullptr;
  json out = {{"count", rate->count}, {"per_ms", rate->per_ms}};
  if (rate->burst) out["burst"] = *rate->burst;
  return out;
}

RateLimit rate_from_json(const json& value) {
  RateLimit rate{value.at("count").get<std::int64_t>(), value.at("per_ms").get<std::int64_t>()};
  if (const auto burst = value.find("burst"); burst != value.end() && !burst->is_null())
    rate.burst = burst->get<std::int64_t>();
  return rate;
}

}  // namespace taskd
