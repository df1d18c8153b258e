#include "ctl/options/selector.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "ctl/options/flag_values.h"
#include "ctl/options/when.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/task_name.h"

namespace taskd::ctl {
namespace {

// Calls `f` for the parts of "a,b,c".
template <class F>
void for_each_part(std::string_view text, F f) {
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    f(text.substr(0, comma));
    if (comma == text.size()) return;
    text.remove_prefix(comma + 1);
  }
}

// The words of a list option, "a,b" and repeated, without duplicates.
template <class T>
void add_words(std::string_view flag, const std::vector<std::string>& texts,
               std::optional<T> (*parse)(std::string_view), std::string_view known,
               std::vector<T>& out) {
  for (const std::string& text : texts) {
    for_each_part(text, [&](std::string_view part) {
      const auto word = parse(part);
      if (!word)
        throw UsageError(kExitUsage, std::string(flag) + ": " + in_quotes(part) +
                                         " is not one of " + std::string(known));
      if (std::find(out.begin(), out.end(), *word) == out.end()) out.push_back(*word);
    });
  }
}

void add_labels(const std::vector<std::string>& texts, Selection& selection) {
  for (const std::string& label : texts) {
    const std::size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError(kExitUsage, "--label: " + in_quotes(label) + " is not KEY=VALUE");
    if (!is_valid_utf8(label)) throw UsageError(kExitBadData, in_quotes(label) + " is not UTF-8");
    selection.labels.emplace_back(label.substr(0, equals), label.substr(equals + 1));
  }
}

TaskName name_of_word(std::string_view word) {
  if (const auto name = parse_task_name(word)) return *name;
  throw UsageError(kExitUsage, in_quotes(word) +
                                   " is not a task: write an id, a range such as 15-20, an array's "
                                   "index such as 12[3], or last");
}

// Skips duplicates.
void add_words(std::string_view text, bool takes_filter, std::vector<std::string>& words) {
  for_each_part(text, [&](std::string_view part) {
    name_of_word(part);
    if (std::find(words.begin(), words.end(), part) == words.end()) words.emplace_back(part);
  });
  if (words.size() > kMaxNames)
    throw UsageError(kExitUsage,
                     "more than " + std::to_string(kMaxNames) + " names at once; a range" +
                         (takes_filter ? " or a filter such as --state" : "") + " can name more");
}

// The size of the word's range. Nothing if it is not a range, or a huge one.
std::optional<std::size_t> size_of_range(const std::string& word) {
  const TaskName name = name_of_word(word);
  if (!name.is_range() || name.last - name.first >= std::int64_t{kMaxNames}) return std::nullopt;
  return static_cast<std::size_t>(name.last - name.first + 1);
}

std::optional<std::string> text_option(const std::optional<std::string>& text) {
  if (text && !is_valid_utf8(*text))
    throw UsageError(kExitBadData, in_quotes(*text) + " is not UTF-8");
  return text;
}

std::optional<std::int64_t> id_option(std::string_view flag, const std::optional<std::string>& text,
                                      std::string_view what) {
  if (!text) return std::nullopt;
  const auto id = parse_int(*text);
  if (!id || *id < 1)
    throw UsageError(kExitUsage,
                     std::string(flag) + ": " + in_quotes(*text) + " is not " + std::string(what));
  return id;
}

std::optional<WallTime> time_option(std::string_view flag, const std::optional<std::string>& text,
                                    WallTime now) {
  return text ? std::optional(since_flag(flag, *text, now)) : std::nullopt;
}

// Refuses combinations that no task can match.
void check(const Selection& selection) {
  if (selection.since && selection.until && *selection.since > *selection.until)
    throw UsageError(kExitUsage, "--since is after --until: no task can match");
  if (selection.ended_since && selection.ended_before &&
      *selection.ended_since > *selection.ended_before)
    throw UsageError(kExitUsage, "--ended-since is after --ended-before: no task can match");
  if (selection.dead && !selection.reasons.empty())
    throw UsageError(kExitUsage, "give either --dead or --reason, not both");
  if (selection.by_id() && selection.by_filter())
    throw UsageError(kExitUsage, "give either ids or a filter, not both");
}

}  // namespace

bool Selection::by_filter() const {
  return !filter_to_json(*this).empty();
}

void add_filter_options(Args& args, SelectorOptions& options) {
  options.takes_filter = true;
  args.list("--state", "STATE", options.states,
            "only tasks in this state: scheduled, blocked, held,\n"
            "queued, running, succeeded, failed or cancelled;\n"
            "several with commas");
  args.option("-q,--queue", "NAME", options.queue, "only tasks of this queue");
  args.option("--name", "NAME", options.name, "only tasks with this name");
  args.list("--label", "K=V", options.labels, "only tasks with this label; all given must match");
  args.option("--user", "USER", options.user, "only tasks of this user (name or uid)");
  args.list("--reason", "REASON", options.reasons,
            "only tasks that failed for this: exit, signal,\n"
            "timeout, oom, spawn, lost, poison, dependency,\n"
            "expired or reported; several with commas");
  args.flag("--dead", options.dead,
            "only tasks that failed and were given up: their\n"
            "tries are spent, or they were lost too often");
  args.option("--array", "ID", options.array, "only tasks of this array (id of its first)");
  args.option("--workflow", "ID", options.workflow, "only tasks of this workflow");
  args.option("--key", "NAME", options.key, "only tasks of this key");
  args.option("--since", "WHEN", options.since,
              "only tasks submitted since: 2h (ago), 12:00,\n"
              "\"2026-03-01 12:00\" or RFC 3339");
  args.option("--until", "WHEN", options.until,
              "only tasks submitted before: 2h means more than\n"
              "two hours ago");
  args.option("--ended-since", "WHEN", options.ended_since, "only tasks that have ended since");
  args.option("--ended-before", "WHEN", options.ended_before,
              "only tasks that ended before: 7d means more than\n"
              "seven days ago");
}

Selection parse_selection(const SelectorOptions& options, WallTime now) {
  Selection selection;
  for (const std::string& word : options.words)
    add_words(word, options.takes_filter, selection.words);
  add_words<State>("--state", options.states, parse_state,
                   "scheduled, blocked, held, queued, running, succeeded, failed, cancelled",
                   selection.states);
  add_words<Reason>("--reason", options.reasons, parse_reason,
                    "exit, signal, timeout, oom, spawn, lost, poison, dependency, expired, "
                    "reported",
                    selection.reasons);
  selection.dead = options.dead;
  add_labels(options.labels, selection);
  selection.queue = text_option(options.queue);
  selection.name = text_option(options.name);
  selection.user = text_option(options.user);
  selection.key = text_option(options.key);
  selection.array = id_option("--array", options.array, "an array: the id of its first task");
  selection.workflow = id_option("--workflow", options.workflow, "the id of a workflow");
  selection.since = time_option("--since", options.since, now);
  selection.until = time_option("--until", options.until, now);
  selection.ended_since = time_option("--ended-since", options.ended_since, now);
  selection.ended_before = time_option("--ended-before", options.ended_before, now);
  check(selection);
  return selection;
}

std::string one_task(const std::vector<std::string>& words) {
  if (words.empty()) throw UsageError(kExitUsage, "which task? Name an id, or last");
  if (words.size() > 1) throw UsageError(kExitUsage, "one task at a time");
  const auto name = parse_task_name(words[0]);
  const bool one = name && !name->is_range() &&
                   (!name->indexes || name->indexes->first == name->indexes->second);
  if (one) return words[0];
  throw UsageError(kExitUsage, in_quotes(words[0]) +
                                   " is not one task: write an id, an array's index such as 12[3], "
                                   "or last");
}

TaskId resolve_one(const Client& client, const std::string& word) {
  std::vector<TaskId> ids;
  list_tasks(client, names_to_query({word}), 2,
             [&](nlohmann::json task) { ids.push_back(read_task(task).id); });
  if (ids.size() == 1) return ids.front();
  throw Failure(kExitUsage, in_quotes(word) +
                                " is an array; name one of its tasks, by its index "
                                "as in 12[3], or by its id");
}

std::vector<nlohmann::json> named_tasks(Context& context, const Client& client,
                                        const std::vector<std::string>& words) {
  std::vector<nlohmann::json> tasks;
  std::set<TaskId> seen;
  std::size_t holes = 0;
  for (const std::string& word : words) {
    std::size_t found = 0;
    list_tasks(client, names_to_query({word}) + "&order=oldest", 0, [&](nlohmann::json task) {
      ++found;
      if (seen.insert(read_task(task).id).second) tasks.push_back(std::move(task));
    });
    holes += size_of_range(word).value_or(found) - found;
  }
  if (holes > 0)
    context.say(std::to_string(holes) + " of these ids " + (holes == 1 ? "has" : "have") +
                " no task (any more)");
  return tasks;
}

std::string names_to_query(const std::vector<std::string>& words) {
  std::string query;
  for (const std::string& word : words)
    query += (query.empty() ? "tasks=" : "&tasks=") + percent_encode(word);
  return query;
}

nlohmann::json filter_to_json(const Selection& selection) {
  nlohmann::json filter = nlohmann::json::object();
  const auto set = [&](const char* word, const auto& value) {
    if (value) filter[word] = *value;
  };
  const auto set_time = [&](const char* word, std::optional<WallTime> time) {
    if (time) filter[word] = format_rfc3339(*time);
  };
  for (const State state : selection.states) filter["state"].push_back(to_string(state));
  for (const Reason reason : selection.reasons) filter["reason"].push_back(to_string(reason));
  if (selection.dead) filter["dead"] = true;
  for (const auto& [key, value] : selection.labels) filter["labels"][key] = value;
  set("queue", selection.queue);
  set("name", selection.name);
  set("user", selection.user);
  set("key", selection.key);
  set("array", selection.array);
  set("workflow", selection.workflow);
  set_time("since", selection.since);
  set_time("until", selection.until);
  set_time("ended_since", selection.ended_since);
  set_time("ended_before", selection.ended_before);
  return filter;
}

std::string filter_to_query(const Selection& selection) {
  std::string query;
  const auto add = [&](const std::string& key, const nlohmann::json& value) {
    if (!query.empty()) query.push_back('&');
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    query.append(key).append("=").append(percent_encode(text));
  };
  const nlohmann::json filter = filter_to_json(selection);
  for (const auto& [word, value] : filter.items()) {
    if (word == "labels") {
      for (const auto& [key, label] : value.items())
        add("label", key + "=" + label.get<std::string>());
    } else if (value.is_array()) {
      for (const nlohmann::json& item : value) add(word, item);
    } else {
      add(word, value);
    }
  }
  return query;
}

std::string list_tasks(const Client& client, const std::string& query, std::size_t limit,
                       const TaskJsonSink& sink) {
  std::string cursor;
  std::size_t count = 0;
  while (true) {
    const std::size_t wanted =
        limit == 0 ? kMaxPage : std::min<std::size_t>(limit - count, kMaxPage);
    std::string target = "/v1/tasks?limit=" + std::to_string(wanted);
    if (!query.empty()) target += "&" + query;
    if (!cursor.empty()) target += "&cursor=" + percent_encode(cursor);
    nlohmann::json page = client.get(target);
    try {
      for (nlohmann::json& task : page.at("tasks")) {
        ++count;
        sink(std::move(task));
      }
      const nlohmann::json& next = page.at("next_cursor");
      cursor = next.is_null() ? "" : next.get<std::string>();
    } catch (const nlohmann::json::exception&) {
      throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's list");
    }
    if (cursor.empty() || (limit != 0 && count >= limit)) return cursor;
  }
}

std::vector<TaskId> select_ids(Context& context, const Client& client, Selection selection,
                               const std::vector<State>& default_states,
                               const std::function<void(std::size_t)>& on_found) {
  std::vector<TaskId> ids;
  if (selection.by_id()) {
    for (const nlohmann::json& task : named_tasks(context, client, selection.words))
      ids.push_back(read_task(task).id);
    return ids;
  }
  if (selection.states.empty()) selection.states = default_states;
  std::string query = filter_to_query(selection);
  query += query.empty() ? "order=oldest" : "&order=oldest";
  list_tasks(client, query, 0, [&](nlohmann::json task) {
    ids.push_back(read_task(task).id);
    if (on_found) on_found(ids.size());
  });
  return ids;
}

std::size_t list_limit(const std::optional<std::string>& text, bool all, std::size_t by_default) {
  if (text && all) throw UsageError(kExitUsage, "give either --limit or --all, not both");
  if (all) return 0;
  if (!text) return by_default;
  const auto limit = parse_int(*text);
  if (!limit || *limit < 1)
    throw UsageError(kExitUsage, "--limit: " + in_quotes(*text) + " is not a number from 1");
  return static_cast<std::size_t>(*limit);
}

void say_more_are_left(Context& context, std::size_t shown) {
  context.say("showing " + std::to_string(shown) + "; --limit N shows more, --all shows all");
}

std::string print_json(const nlohmann::json& json) {
  return escape_json(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Task read_task(const nlohmann::json& json) {
  try {
    return task_from_json(json);
  } catch (const std::exception& e) {
    throw Failure(kExitBadAnswer,
                  std::string("this taskctl cannot read the daemon's task: ") + e.what());
  }
}

Task get_task(const Client& client, TaskId id) {
  return read_task(client.get("/v1/tasks/" + std::to_string(id)));
}

}  // namespace taskd::ctl
