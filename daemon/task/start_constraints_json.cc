#include "daemon/task/start_constraints_json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "daemon/base/json_writer.h"
#include "daemon/task/array_range.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/task_name.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxInt64 = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kMaxResourceNameBytes = 32;

// Names of keys are for people, and never those that the daemon gives itself.
void read_key_name(FieldReader& reader, const json& value, const std::string& at,
                   std::string& out) {
  const auto* text = reader.string(value, at);
  if (text == nullptr || !reader.plain(*text, at, kMaxKeyNameBytes)) return;
  if (text->empty()) return reader.complain(at, "must not be empty");
  if (text->front() == '#') return reader.complain(at, "must not begin with '#'");
  out = *text;
}

template <class Enum>
void read_word(FieldReader& reader, const json& value, const std::string& at,
               std::optional<Enum> (*parse)(std::string_view), std::string_view wanted, Enum& out) {
  const auto* text = value.get_ptr<const std::string*>();
  const auto word = text != nullptr ? parse(*text) : std::nullopt;
  if (!word) return reader.wrong_type(value, at, wanted);
  out = *word;
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
       read_word(reader, value, at, parse_unique_while, "\"queued\" or \"active\"",
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
       read_word(reader, value, at, parse_dependency_on, "\"ok\", \"any\" or \"failed\"", one.on);
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

[[noreturn]] void refuse_flow(std::string_view key) {
  throw std::runtime_error("a task has a wrong \"" + std::string(key) + "\"");
}

// Of what was written here before; anything else was not.
std::int64_t integer_of(std::string_view key, const json& value, std::int64_t max = kMaxInt64) {
  if (!value.is_number_integer()) refuse_flow(key);
  const auto number = value.get<std::int64_t>();
  if (number < 0 || number > max) refuse_flow(key);
  return number;
}

std::int64_t positive_of(std::string_view key, const json* value, std::int64_t max = kMaxInt64) {
  if (value == nullptr) refuse_flow(key);
  const std::int64_t number = integer_of(key, *value, max);
  if (number == 0) refuse_flow(key);
  return number;
}

const std::string& text_of(std::string_view key, const json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) refuse_flow(key);
  return *text;
}

template <class Enum>
Enum word_of(std::string_view key, const json& value,
             std::optional<Enum> (*parse)(std::string_view)) {
  const auto word = parse(text_of(key, value));
  if (!word) refuse_flow(key);
  return *word;
}

// The member, or null.
const json* find(const json& object, std::string_view key) {
  if (!object.is_object()) refuse_flow(key);
  const auto member = object.find(key);
  return member == object.end() || member->is_null() ? nullptr : &*member;
}

void key_from_json(const json& value, KeyUse& key) {
  if (const json* name = find(value, "name")) key.name = text_of("key", *name);
  if (const json* limit = find(value, "limit")) {
    key.limit = static_cast<int>(positive_of("key", limit, kMaxKeyLimit));
  }
  if (const json* rate = find(value, "rate")) {
    key.rate = RateLimit{positive_of("key", find(*rate, "count")),
                         positive_of("key", find(*rate, "per_ms"))};
    if (const json* burst = find(*rate, "burst")) key.rate->burst = positive_of("key", burst);
  }
}

void unique_from_json(const json& value, Unique& unique) {
  if (const json* key = find(value, "key")) unique.key = text_of("unique", *key);
  if (const json* for_ms = find(value, "for_ms")) unique.for_ms = integer_of("unique", *for_ms);
  if (const json* word = find(value, "while")) {
    unique.while_state = word_of("unique", *word, parse_unique_while);
  }
}

Dependency dependency_from_json(const json& value) {
  Dependency dependency;
  const json* task = find(value, "task");
  const json* array = find(value, "array");
  dependency.whole_array = array != nullptr;
  if (array != nullptr) task = array;
  if (task == nullptr) refuse_flow("depends_on");
  dependency.task = integer_of("depends_on", *task);
  if (const json* on = find(value, "on")) {
    dependency.on = word_of("depends_on", *on, parse_dependency_on);
  }
  return dependency;
}

void write_key(JsonWriter& writer, const KeyUse& key) {
  writer.key("key");
  if (key.name.empty()) return writer.null();
  writer.begin('{');
  writer.member("name", key.name);
  if (key.limit) writer.member("limit", *key.limit);
  if (key.rate) {
    writer.key("rate");
    writer.raw(rate_to_json(key.rate).dump());
  }
  writer.end('}');
}

void write_unique(JsonWriter& writer, const Unique& unique) {
  writer.key("unique");
  if (unique.key.empty()) return writer.null();
  writer.begin('{');
  writer.member("key", unique.key);
  if (unique.for_ms > 0) writer.member("for_ms", unique.for_ms);
  if (unique.while_state) writer.member("while", to_string(*unique.while_state));
  writer.end('}');
}

void write_dependencies(JsonWriter& writer, const StartConstraints& constraints) {
  writer.key("depends_on");
  writer.begin('[');
  for (const Dependency& dependency : constraints.depends_on) {
    writer.begin('{');
    writer.member(dependency.whole_array ? "array" : "task", dependency.task);
    writer.member("on", to_string(dependency.on));
    writer.end('}');
  }
  for (const NamedDependency& dependency : constraints.named) {
    writer.begin('{');
    writer.member("tasks", dependency.tasks);
    writer.member("on", to_string(dependency.on));
    writer.end('}');
  }
  writer.end(']');
}

}  // namespace

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

void read_key(FieldReader& reader, const json& value, const std::string& at, StartConstraints& constraints) {
  if (value.is_null()) return;
  if (!value.is_object()) return reader.wrong_type(value, at, "an object or null");
  read_fields(reader, value, at, kKeyFields, constraints.key);
  if (!value.contains("name")) reader.complain(at, "\"name\" is needed");
}

void read_slots(FieldReader& reader, const json& value, const std::string& at, StartConstraints& constraints) {
  reader.integer(value, at, 1, kMaxSlots, constraints.slots);
}

void read_resources(FieldReader& reader, const json& value, const std::string& at, StartConstraints& constraints) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object of integers");
  if (value.size() > kMaxResources)
    return reader.complain(at, "must have at most " + std::to_string(kMaxResources) + " resources");
  for (const auto& [name, amount] : value.items()) {
    const std::string place = at + pointer_step(name);
    if (!is_valid_resource_name(name)) reader.complain(place, "is no name of a resource");
    reader.integer(amount, place, 1, kMaxInt64, constraints.resources[name]);
  }
}

void read_unique(FieldReader& reader, const json& value, const std::string& at, StartConstraints& constraints) {
  if (value.is_null()) return;
  if (!value.is_object()) return reader.wrong_type(value, at, "an object or null");
  read_fields(reader, value, at, kUniqueFields, constraints.unique);
  if (!value.contains("key")) reader.complain(at, "\"key\" is needed");
}

void read_depends_on(FieldReader& reader, const json& value, const std::string& at,
                     StartConstraints& constraints) {
  if (!value.is_array()) return reader.wrong_type(value, at, "an array of ids or objects");
  if (value.size() > kMaxDependencies)
    return reader.complain(at, "must have at most " + std::to_string(kMaxDependencies) + " items");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string place = at + "/" + std::to_string(i);
    NamedDependency& one = constraints.named.emplace_back();
    read_dependency(reader, value[i], place, one);
    if (!one.tasks.empty() && !seen.insert(one.tasks).second)
      reader.complain(place, "task " + one.tasks + " is named twice");
  }
}

void read_on_dependency_failed(FieldReader& reader, const json& value, const std::string& at,
                               StartConstraints& constraints) {
  read_word(reader, value, at, parse_on_dependency_failed, "\"fail\", \"cancel\" or \"run\"",
            constraints.on_dependency_failed);
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

json dependencies_to_json(const std::vector<Dependency>& dependencies) {
  StartConstraints constraints;
  constraints.depends_on = dependencies;
  JsonWriter writer;
  writer.begin('{');
  write_dependencies(writer, constraints);
  writer.end('}');
  return json::parse(writer.take()).at("depends_on");
}

void write_flow(JsonWriter& writer, const StartConstraints& constraints, bool all) {
  static const StartConstraints defaults;
  if (all || constraints.key != defaults.key) write_key(writer, constraints.key);
  if (all || constraints.slots != defaults.slots) writer.member("slots", constraints.slots);
  if (all || !constraints.resources.empty()) writer.member("resources", constraints.resources);
  if (all || constraints.unique != defaults.unique) write_unique(writer, constraints.unique);
  if (all || !constraints.named.empty()) write_dependencies(writer, constraints);
  if (all || constraints.on_dependency_failed != defaults.on_dependency_failed)
    writer.member("on_dependency_failed", to_string(constraints.on_dependency_failed));
}

bool constraint_from_json(const std::string& key, const json& value, StartConstraints& constraints) {
  const bool is_ours = key == "key" || key == "slots" || key == "resources" || key == "unique" ||
                       key == "depends_on" || key == "on_dependency_failed";
  if (!is_ours || value.is_null()) return is_ours;
  if (key == "key") {
    key_from_json(value, constraints.key);
  } else if (key == "slots") {
    constraints.slots = static_cast<int>(positive_of(key, &value, kMaxSlots));
  } else if (key == "resources") {
    if (!value.is_object()) refuse_flow(key);
    for (const auto& [name, amount] : value.items()) constraints.resources[name] = integer_of(key, amount);
  } else if (key == "unique") {
    unique_from_json(value, constraints.unique);
  } else if (key == "depends_on") {
    if (!value.is_array()) refuse_flow(key);
    for (const json& item : value) constraints.depends_on.push_back(dependency_from_json(item));
  } else {
    constraints.on_dependency_failed = word_of(key, value, parse_on_dependency_failed);
  }
  return true;
}

}  // namespace taskd
