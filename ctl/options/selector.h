// The tasks that a verb applies to: names or a filter, never both. A name is an id, a range of ids,
// the id of an array (the whole array), an index of one, or `last`; the daemon resolves it.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/net/client.h"
#include "ctl/options/args.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

inline constexpr std::size_t kMaxNames = 10'000;  // per request
inline constexpr int kMaxPage = 1000;             // page size of the API

// The command line's values, as text.
struct SelectorOptions {
  std::vector<std::string> words;
  std::vector<std::string> states;
  std::vector<std::string> reasons;
  bool dead = false;
  std::vector<std::string> labels;
  std::optional<std::string> queue, name, user, key;
  std::optional<std::string> array, workflow;
  std::optional<std::string> since, until, ended_since, ended_before;
  bool takes_filter = false;  // set by add_filter_options(), for advice in errors
};

// The parsed selection.
struct Selection {
  std::vector<std::string> words;  // names as given, without duplicates
  std::vector<State> states;
  std::vector<Reason> reasons;
  bool dead = false;
  std::vector<std::pair<std::string, std::string>> labels;
  std::optional<std::string> queue, name, user, key;
  std::optional<std::int64_t> array, workflow;
  std::optional<WallTime> since, until, ended_since, ended_before;

  bool by_id() const { return !words.empty(); }
  bool by_filter() const;
};

// Declares the filter options; the verb declares the words.
void add_filter_options(Args& args, SelectorOptions& options);

// Names are as in task_name.h, several separated by commas. Throws UsageError (64).
Selection parse_selection(const SelectorOptions& options, WallTime now);

// The words, if they are a single name that is not a range. Throws UsageError (64).
std::string one_task(const std::vector<std::string>& words);
// The task that such a name means. Throws Failure (64) for an array.
TaskId resolve_one(const Client& client, const std::string& word);

// The named tasks without duplicates, in the order of the words. Reports holes in ranges, where
// tasks were removed; a name that matches nothing is an error (66).
std::vector<nlohmann::json> named_tasks(Context& context, const Client& client,
                                        const std::vector<std::string>& words);
// As a query: "tasks=12&tasks=15-20".
std::string names_to_query(const std::vector<std::string>& words);

// The filter for POST /v1/tasks:verb, and for GET /v1/tasks ("state=failed&queue=q").
nlohmann::json filter_to_json(const Selection& selection);
std::string filter_to_query(const Selection& selection);

// Lists page by page, until `limit` tasks (0 = all) or the end. Returns the cursor of the rest (""
// = complete).
using TaskJsonSink = std::function<void(nlohmann::json task)>;
std::string list_tasks(const Client& client, const std::string& query, std::size_t limit,
                       const TaskJsonSink& sink);

// All selected tasks. `default_states` apply to a filter without --state; empty = any state.
// `on_found` is called now and then with the number found so far.
std::vector<TaskId> select_ids(Context& context, const Client& client, Selection selection,
                               const std::vector<State>& default_states = {},
                               const std::function<void(std::size_t)>& on_found = {});

// The limit from a list's --limit N and --all, 0 = all. Throws UsageError (64).
std::size_t list_limit(const std::optional<std::string>& text, bool all, std::size_t by_default);
// Says that the list shows only `shown` tasks.
void say_more_are_left(Context& context, std::size_t shown);

// One line of JSON, for --json.
std::string print_json(const nlohmann::json& json);

// Parses a task from an API answer, or throws Failure (76).
Task read_task(const nlohmann::json& json);
Task get_task(const Client& client, TaskId id);

}  // namespace taskd::ctl
