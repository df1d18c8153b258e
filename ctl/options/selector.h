// Which tasks a verb is about: names, or a filter. Never both. A name is an id, a range of ids, the
// id of an array (which means all of it), an index of one, or `last`; the daemon resolves it.
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

inline constexpr std::size_t kMaxNames = 10'000;  // that a request may carry
inline constexpr int kMaxPage = 1000;             // what the API gives at once

// What the command line says, as text.
struct SelectorOptions {
  std::vector<std::string> words;
  std::vector<std::string> states;
  std::vector<std::string> reasons;
  bool dead = false;
  std::vector<std::string> labels;
  std::optional<std::string> queue, name, user, key;
  std::optional<std::string> array, workflow;
  std::optional<std::string> since, until, ended_since, ended_before;
  bool takes_filter = false;  // set by add_filter_options(): for advice
};

// The same, understood.
struct Selection {
  std::vector<std::string> words;  // names as they were given, each once
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

// Declares the filter options; the words belong to the verb.
void add_filter_options(Args& args, SelectorOptions& options);

// Names are as in task_name.h, several with commas. Throws UsageError (64).
Selection parse_selection(const SelectorOptions& options, WallTime now);

// The words, if they are one name that is no range. Throws UsageError (64).
std::string one_task(const std::vector<std::string>& words);
// The task that such a name means. Throws Failure (64) for an array.
TaskId resolve_one(const Client& client, const std::string& word);

// The tasks that the words name, each once, in the order of the words. A range may have holes where
// tasks were removed, which is said; a name of nothing is refused (66).
std::vector<nlohmann::json> named_tasks(Context& context, const Client& client,
                                        const std::vector<std::string>& words);
// As a query: "tasks=12&tasks=15-20".
std::string names_to_query(const std::vector<std::string>& words);

// The filter as POST /v1/tasks:verb takes it, and as GET /v1/tasks does ("state=failed&queue=q").
nlohmann::json filter_to_json(const Selection& selection);
std::string filter_to_query(const Selection& selection);

// Walks through the list, page by page, until `limit` tasks (0 = all) or the end. Returns the
// cursor of what was left out ("" = nothing).
using TaskJsonSink = std::function<void(nlohmann::json task)>;
std::string list_tasks(const Client& client, const std::string& query, std::size_t limit,
                       const TaskJsonSink& sink);

// All tasks the selection names. By filter: `default_states` count when it has no --state; none of
// them means any state.
// `on_found` is told now and then how many they are so far.
std::vector<TaskId> select_ids(Context& context, const Client& client, Selection selection,
                               const std::vector<State>& default_states = {},
                               const std::function<void(std::size_t)>& on_found = {});

// What --limit N and --all of a list ask for, 0 = all. Throws UsageError (64).
std::size_t list_limit(const std::optional<std::string>& text, bool all, std::size_t by_default);
// Says that a list of `shown` is not all there is.
void say_more_are_left(Context& context, std::size_t shown);

// One line of JSON, as --json prints it.
std::string print_json(const nlohmann::json& json);

// A task as the API answers it, or Failure (76).
Task read_task(const nlohmann::json& json);
Task get_task(const Client& client, TaskId id);

}  // namespace taskd::ctl
