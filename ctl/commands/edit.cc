#include <nlohmann/json.hpp>

#include "ctl/base/count_text.h"
#include "ctl/commands/edit_task.h"
#include "ctl/commands/verbs.h"
#include "ctl/options/selector.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kEditHelp{
    .usage = "[OPTIONS] ID… [-- COMMAND [ARG…]]",
    .paragraph =
        R"(Changes tasks that wait. The options are those of submit: what they name is changed,
everything else stays. --env and --label add to what is there. A task that runs or has
ended is not changed (73); for one that has ended there is "retry --edit".

Of several ids none is changed unless all of them exist and wait. Then each is edited
on its own: one that is refused after all is named with the reason, the others stay
edited, and the exit code is that of the first refusal.

Without an option one task opens in $VISUAL or $EDITOR; if somebody else has changed it
meanwhile, it is not overwritten (73).)",
    .examples =
        R"(  taskctl edit 12                          # in the editor
  taskctl edit 12 --priority high --queue night --delay 1h
  taskctl edit 12 15-20 --priority high
  taskctl edit 12 --delay 0                # as soon as it may
  taskctl edit last --env LEVEL=9 --unset-env DEBUG -- ./pack.sh all
)"};

constexpr std::size_t kMaxTold = 10;

// Tasks that could not be edited: prints them as they occur, up to ten.
class Refusals {
 public:
  explicit Refusals(Context& context) : context_(context) {}

  void add(TaskId id, const Failure& failure) {
    if (count_++ == 0) exit_code_ = failure.exit_code;
    if (count_ <= kMaxTold) context_.say(sentence(id, failure));
  }
  bool any() const { return count_ > 0; }
  // Returns the exit code, and prints how many were not shown.
  int finish() {
    if (count_ > kMaxTold)
      context_.say("… and " + format_count(count_ - kMaxTold) + " more could not be edited");
    return exit_code_;
  }

  static std::string sentence(TaskId id, const Failure& failure) {
    const std::string task = "task " + std::to_string(id);
    const std::string what = failure.what();
    return what.find(task) == what.npos ? task + ": " + what : what;
  }

 private:
  Context& context_;
  std::size_t count_ = 0;
  int exit_code_ = kExitOk;
};

// Records which of them do not exist or do not wait.
void look_at(const Client& client, const std::vector<TaskId>& ids, Refusals& refusals) {
  for (const TaskId id : ids) {
    try {
      check_state(get_task(client, id), /*retry=*/false);
    } catch (const Failure& failure) {
      if (failure.exit_code != kExitNoSuchTask && failure.exit_code != kExitConflict) throw;
      refusals.add(id, failure);
    }
  }
}

// Edits one after the other. A refusal before the first edit ends the command.
std::vector<nlohmann::json> edit_each(const Client& client, const std::vector<TaskId>& ids,
                                      const nlohmann::json& patch, Refusals& refusals) {
  std::vector<nlohmann::json> tasks;
  for (const TaskId id : ids) {
    try {
      tasks.push_back(send_patch(client, {.id = id, .retry = false}, patch));
    } catch (const Refused& refused) {
      if (tasks.empty())
        throw Failure(refused.exit_code, Refusals::sentence(id, refused) + "; nothing was changed");
      refusals.add(id, refused);
    } catch (const Failure& failure) {
      throw Failure(failure.exit_code, Refusals::sentence(id, failure) + "; before it, " +
                                           count_tasks(tasks.size()) + " were edited");
    }
  }
  return tasks;
}

int edit_several(Context& context, const Client& client, const std::vector<TaskId>& ids,
                 const nlohmann::json& patch, bool json, bool quiet) {
  Refusals refusals(context);
  look_at(client, ids, refusals);
  if (refusals.any()) {
    const int exit_code = refusals.finish();
    context.say("nothing was changed");
    return exit_code;
  }
  const std::vector<nlohmann::json> tasks = edit_each(client, ids, patch, refusals);
  if (json) context.out.line(print_json({{"version", 1}, {"tasks", tasks}}));
  const int exit_code = refusals.finish();
  if (!quiet) context.say("edited " + count_tasks(tasks.size()));
  return exit_code;
}

[[noreturn]] void refuse_several() {
  throw UsageError(kExitUsage, "the editor takes one task; use options to change several");
}

// As far as taskctl can tell: the id may be an array's.
bool names_one(const std::vector<std::string>& words) {
  return words.size() == 1 && words.front().find('-') == std::string::npos;
}

int edit_one(Context& context, const Client& client, TaskId id, const nlohmann::json& patch,
             bool json, bool quiet) {
  const TaskEdit edit{.id = id, .retry = false};
  nlohmann::json task =
      patch.empty() ? edit_in_editor(context, client, edit) : send_patch(client, edit, patch);
  if (task.is_null()) {
    if (!quiet) context.say("nothing was changed");
    return kExitOk;
  }
  if (json) context.out.line(print_json({{"version", 1}, {"tasks", {task}}}));
  if (!quiet) context.say("edited task " + std::to_string(read_task(task).id));
  return kExitOk;
}

}  // namespace

int edit_command(Context& context, const Words& argv) {
  CommonOptions common;
  EditOptions options;
  SelectorOptions selector;
  bool json = false;
  bool quiet = false;
  Args args("edit", kEditHelp);
  args.words(selector.words);
  options.declare(args);
  args.flag("--json", json, "{\"version\":1,\"tasks\":[…]}");
  args.flag("--quiet", quiet, "print nothing on success");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;
  const Selection selection = parse_selection(selector, context.clock.wall_now());
  if (!selection.by_id()) throw UsageError(kExitUsage, "which tasks? Name ids, or last");
  const bool one = names_one(selection.words);
  const nlohmann::json patch = options.to_patch(context);
  if (!one && patch.empty()) refuse_several();

  const Client client = connect(context, common);
  const std::vector<TaskId> ids = select_ids(context, client, selection);
  if (one && ids.size() == 1) return edit_one(context, client, ids.front(), patch, json, quiet);
  if (patch.empty()) refuse_several();
  return edit_several(context, client, ids, patch, json, quiet);
}

}  // namespace taskd::ctl
