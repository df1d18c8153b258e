// Which tasks a verb is about: ids, ranges and `last`, or a filter. Never both.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/context.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

inline constexpr std::size_t kMaxSelectedIds = 10'000;
inline constexpr int kMaxPage = 1000;  // what the API gives at once

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
};

// The same, understood.
struct Selection {
  std::vector<TaskId> ids;         // in the order given, each once
  std::set<TaskId> only_in_range;  // those that no word names by itself
  bool last = false;               // `last` was among the words
  std::vector<State> states;
  std::vector<Reason> reasons;
  bool dead = false;
  std::vector<std::pair<std::string, std::string>> labels;
  std::optional<std::string> queue, name, user, key;
  std::optional<std::int64_t> array, workflow;
  std::optional<WallTime> since, until, ended_since, ended_before;

  bool by_id() const { return last || !ids.empty(); }
  bool by_filter() const;
};

// Declares the filter options; the words belong to the verb.
void add_filter_options(Args& args, SelectorOptions& options);

// Ids are "12", "12-20", "12,15-20" and "last". Throws UsageError (64).
Selection parse_selection(const SelectorOptions& options, WallTime now);

// The one id, or "last", that the words are. Throws UsageError (64).
std::string one_task(const std::vector<std::string>& words);

// The ids, with `last` looked up. The order is that of the words, `last` at the end.
std::vector<TaskId> resolve_ids(const Client& client, const Selection& selection);

// The same for a verb that only looks: a range may have holes where tasks were removed, which is
// said. Throws Failure (66) when nothing at all is there.
std::vector<TaskId> resolve_present_ids(Context& context, const Client& client,
                                        const Selection& selection);

// The filter as POST /v1/tasks:verb takes it, and as GET /v1/tasks does ("state=failed&queue=q").
nlohmann::json filter_to_json(const Selection& selection);
std::string filter_to_query(const Selection& selection);

// Walks through the list, page by page, until `limit` tasks (0 = all) or the end. Returns the
// cursor of what was left out ("" = nothing).
using TaskJsonSink = std::function<void(nlohmann::json task)>;
std::string list_tasks(const Client& client, const std::string& query, std::size_t limit,
                       const TaskJsonSink& sink);

// All tasks the selection names, for a verb that only looks. By filter: of any state.
std::vector<TaskId> select_present_ids(Context& context, const Client& client,
                                       const Selection& selection);
// All tasks the selection names. By filter: `default_states` count when it has no --state.
std::vector<TaskId> select_ids(const Client& client, Selection selection,
                               const std::vector<State>& default_states);

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
