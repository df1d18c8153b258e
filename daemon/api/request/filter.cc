#include "daemon/api/request/filter.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/users.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/refusals.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/state_machine.h"

namespace taskd {
namespace {

using nlohmann::json;

enum class Place { query, body };

// Per list: a filter becomes one SQL statement, which has its own limits.
constexpr std::size_t kMaxTerms = kMaxLabels;

constexpr char kWrong[] = "invalid_request";

class FilterReader {
 public:
  FilterReader(const ApiContext& context, const Actor& actor, Place place)
      : context_(context), actor_(actor), place_(place) {}

  Filter read(const json& words) {
    if (words.contains("array") && words.contains("tasks")) {
      refuse("tasks", "cannot be combined with array; name the array among the tasks");
    }
    for (const auto& [name, value] : words.items()) read_word(name, value);
    check();
    if (dead_) filter_.reasons = dead_reasons();
    return std::move(filter_);
  }

 private:
  void read_word(const std::string& name, const json& value);
  // Refuses combinations that no task can match.
  void check() const;
  // Reports an error in a word, or in a part of it ("state/0").
  [[noreturn]] void refuse(const std::string& word, const std::string& detail,
                           const std::string& code = kWrong) const;
  [[noreturn]] void refuse_too_many(const std::string& word) const {
    refuse(word, "must have at most " + std::to_string(kMaxTerms) + " items");
  }

  const std::string& text(const std::string& word, const json& value) const {
    const auto* found = value.get_ptr<const std::string*>();
    if (found == nullptr) refuse(word, "must be a string");
    return *found;
  }
  std::int64_t id(const std::string& word, const json& value) const {
    const bool fits =
        value.is_number_integer() && value >= 1 && value <= std::numeric_limits<TaskId>::max();
    if (!fits) refuse(word, "must be a positive integer");
    return value.get<std::int64_t>();
  }
  WallTime time(const std::string& word, const json& value) const {
    const auto at = parse_rfc3339(text(word, value));
    if (!at) refuse(word, "must be an RFC 3339 time stamp with its zone");
    return *at;
  }
  std::uint32_t user(const std::string& word, const json& value) const {
    const std::string name = value.is_number_integer() ? value.dump() : text(word, value);
    const auto uid = find_uid(name);
    if (!uid) refuse(word, "there is no user " + in_quotes(name), "unknown_user");
    return *uid;
  }
  std::string queue(const std::string& word, const json& value) const {
    const std::string& name = text(word, value);
    if (!context_.store.queue(name)) {
      refuse(word, "there is no queue " + in_quotes(name), "unknown_queue");
    }
    return name;
  }
  std::string key(const std::string& word, const json& value) const {
    const std::string& name = text(word, value);
    if (name.empty() || name.front() == '#') refuse(word, "is not a key: " + in_quotes(name));
    if (!context_.store.has_key(actor_, name)) {
      refuse(word, "no task has the key " + in_quotes(name), "unknown_key");
    }
    return name;
  }
  WorkflowId workflow(const std::string& word, const json& value) const {
    const WorkflowId number = id(word, value);
    if (!context_.store.has_workflow(actor_, number)) {
      refuse(word, "there is no workflow " + std::to_string(number), "unknown_workflow");
    }
    return number;
  }
  std::vector<IdRange> array(const std::string& word, const json& value) const {
    const TaskId number = id(word, value);
    const auto array = context_.store.array(actor_, number);
    if (!array) {
      refuse(word, "there is no array whose first task is " + std::to_string(number),
             "unknown_array");
    }
    if (!array->is_whole()) being_submitted(number);
    return {{array->id, array->last_id()}};
  }
  template <class T>
  std::vector<T> list(const std::string& word, const json& value,
                      std::optional<T> (*parse)(std::string_view)) const {
    if (!value.is_array()) refuse(word, "must be an array of strings");
    // An empty list from a program does not mean everything.
    if (value.empty()) refuse(word, "must name at least one " + word);
    if (value.size() > kMaxTerms) refuse_too_many(word);
    std::vector<T> all;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string place = word + "/" + std::to_string(i);
      const auto one = parse(text(place, value[i]));
      if (!one) refuse(place, "names no " + word + ": " + in_quotes(text(place, value[i])));
      if (std::find(all.begin(), all.end(), *one) == all.end()) all.push_back(*one);
    }
    return all;
  }
  void read_labels(const std::string& word, const json& value) {
    if (!value.is_object()) refuse(word, "must be an object of strings");
    if (value.size() > kMaxTerms) refuse_too_many(word);
    for (const auto& [name, label] : value.items()) {
      filter_.labels.emplace_back(name, text(word + pointer_step(name), label));
    }
  }
  void read_dead(const std::string& word, const json& value) {
    if (!value.is_boolean()) refuse(word, "must be true or false");
    dead_ = value.get<bool>();
  }
  std::string place(const std::string& word) const {
    return place_ == Place::query ? word : "#/filter/" + word;
  }

  const ApiContext& context_;
  const Actor& actor_;
  const Place place_;
  Filter filter_;
  bool dead_ = false;
};

void FilterReader::read_word(const std::string& name, const json& value) {
  if (name == "state") {
    filter_.states = list<State>(name, value, parse_state);
  } else if (name == "reason") {
    filter_.reasons = list<Reason>(name, value, parse_reason);
  } else if (name == "dead") {
    read_dead(name, value);
  } else if (name == "queue") {
    filter_.queue = queue(name, value);
  } else if (name == "name") {
    filter_.name = text(name, value);
  } else if (name == "user") {
    filter_.uid = user(name, value);
  } else if (name == "array") {
    filter_.ids = array(name, value);
  } else if (name == "tasks") {
    filter_.ids = resolve_names(context_, actor_, value, place(name)).all();
  } else if (name == "workflow") {
    filter_.workflow = workflow(name, value);
  } else if (name == "key") {
    filter_.key = key(name, value);
  } else if (name == "labels") {
    read_labels(name, value);
  } else if (name == "since") {
    filter_.since = time(name, value);
  } else if (name == "until") {
    filter_.until = time(name, value);
  } else if (name == "ended_since") {
    filter_.ended_since = time(name, value);
  } else if (name == "ended_before") {
    filter_.ended_before = time(name, value);
  } else {
    refuse(pointer_step(name).substr(1), "is unknown");
  }
}

void FilterReader::check() const {
  if (filter_.since && filter_.until && *filter_.since > *filter_.until) {
    refuse("since", "is after until: no task can match");
  }
  if (filter_.ended_since && filter_.ended_before && *filter_.ended_since > *filter_.ended_before) {
    refuse("ended_since", "is after ended_before: no task can match");
  }
  if (dead_ && !filter_.reasons.empty()) {
    refuse("dead", "stands for reasons; give either dead or reason");
  }
}

void FilterReader::refuse(const std::string& word, const std::string& detail,
                          const std::string& code) const {
  const bool in_query = place_ == Place::query;
  if (in_query && code == kWrong) bad_query(word.substr(0, word.find('/')), detail);
  const std::string place = in_query ? word : "#/filter/" + word;
  throw ProblemError(422, code, in_query ? detail : place + ": " + detail, {{place, detail}});
}

// How a word is written in a query.
enum class Form { text, number, flag, list };
constexpr std::pair<const char*, Form> kQueryWords[] = {
    {"state", Form::list},       {"reason", Form::list},     {"dead", Form::flag},
    {"tasks", Form::list},
    {"queue", Form::text},       {"name", Form::text},       {"user", Form::text},
    {"array", Form::number},     {"workflow", Form::number}, {"key", Form::text},
    {"since", Form::text},       {"until", Form::text},      {"ended_since", Form::text},
    {"ended_before", Form::text}};

// "failed,cancelled", may be repeated.
void take_list(HttpQuery& query, const std::string& word, json& words) {
  for (const std::string& text : query.take_all(word)) {
    std::string_view rest = text;
    for (;;) {
      const auto comma = rest.find(',');
      words[word].push_back(std::string(rest.substr(0, comma)));
      if (comma == rest.npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
}

void take_labels(HttpQuery& query, json& words) {
  for (const std::string& label : query.take_all("label")) {
    const auto equals = label.find('=');
    if (equals == label.npos) bad_query("label", "must be key=value");
    const std::string key = label.substr(0, equals);
    const std::string value = label.substr(equals + 1);
    const json& earlier = words["labels"][key];
    if (!earlier.is_null() && earlier != value) bad_query("label", "has two values for one key");
    words["labels"][key] = value;
  }
}

}  // namespace

json take_filter(HttpQuery& query) {
  json words = json::object();
  for (const auto& [word, form] : kQueryWords) {
    if (form == Form::list) {
      take_list(query, word, words);
    } else if (form == Form::flag) {
      if (query.take_bool(word)) words[word] = true;
    } else if (const auto text = query.take(word)) {
      const auto number = form == Form::number ? parse_int(*text) : std::nullopt;
      words[word] = number ? json(*number) : json(*text);
    }
  }
  take_labels(query, words);
  return words;
}

Filter filter_of_query(const ApiContext& context, const Actor& actor, const json& words) {
  return FilterReader(context, actor, Place::query).read(words);
}

Filter filter_of_body(const ApiContext& context, const Actor& actor, const json& value) {
  if (!value.is_object()) invalid_request("#/filter", "must be an object");
  return FilterReader(context, actor, Place::body).read(value);
}

}  // namespace taskd
