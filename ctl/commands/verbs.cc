#include "ctl/commands/verbs.h"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <new>
#include <system_error>

#include "ctl/commands/sub_verbs.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/version.h"

namespace taskd::ctl {
namespace {

constexpr Verb kVerbs[] = {
    {"submit", "Submit", "submit a command; prints the task's id", submit_command},
    {"run", "Submit", "submit, show the output live, exit with its code", run_command},
    {"list", "Look", "list tasks, newest first", list_command},
    {"show", "Look", "show one task in detail", show_command},
    {"logs", "Look", "show a task's output", logs_command},
    {"result", "Look", "show a task's result; in a job: report it", result_command},
    {"why", "Look", "tell why a task is not running, and when it will", why_command},
    {"wait", "Look", "wait for the end, exit with the task's code", wait_command},
    {"stats", "Look", "show queues and workers", stats_command},
    {"cancel", "Act", "stop tasks, or keep them from starting", cancel_command},
    {"retry", "Act", "run ended tasks again", retry_command},
    {"hold", "Act", "keep waiting tasks from starting", hold_command},
    {"release", "Act", "let held tasks run", release_command},
    {"signal", "Act", "send a signal to running tasks", signal_command},
    {"edit", "Act", "change a waiting task", edit_command},
    {"move", "Act", "move waiting tasks to another queue", move_command},
    {"rm", "Act", "remove ended tasks and their output", rm_command},
    {"prune", "Act", "remove ended tasks by a filter", prune_command},
    {"progress", "In a job", "report how far the job is", progress_command},
    {"queue", "Organise", "queues: look, limit, pause, drain", queue_command},
    {"key", "Organise", "show keys and set their limits", key_command},
    {"workflow", "Organise", "submit tasks that depend on each other", workflow_command},
    {"schedule", "Organise", "submit tasks repeatedly, at set times", schedule_command},
    {"daemon", "Operate", "start a daemon in the foreground", daemon_command},
    {"handlers", "Operate", "list the commands that programs submit by name", handlers_command},
    {"hooks", "Operate", "list hooks and failed notifications", hooks_command},
    {"doctor", "Operate", "check the daemon from outside", doctor_command},
    {"help", "Operate", "this list, or the help of a verb", help_command},
};

constexpr std::size_t kMaxTypos = 2;

bool takes_value(std::string_view option) {
  return option == "--socket" || option == "--daemon-user" || option == "--color";
}

int dispatch(Context& context, const Words& argv) {
  if (!argv.empty() && (argv[0] == "--version" || argv[0] == "-V")) {
    context.out.line(std::string("taskctl ") + kVersion);
    return kExitOk;
  }
  if (!argv.empty() && (argv[0] == "--help" || argv[0] == "-h")) return help_command(context, {});
  const Words words = verb_first(argv);
  if (words.empty()) {
    write_all(2, help_text());  // nothing was asked for, so the help goes to stderr
    return kExitUsage;
  }
  if (words[0].starts_with('-'))
    throw UsageError(kExitUsage, "there is no verb after " + escape_for_humans(words[0]) +
                                     "; try \"taskctl help\"");
  const Verb& verb = verb_named(words[0]);
  try {
    return verb.run(context, Words(words.begin() + 1, words.end()));
  } catch (const HintedUsageError&) {
    throw;
  } catch (const UsageError& e) {
    if (e.exit_code != kExitUsage || verb.run == help_command) throw;
    throw UsageError(kExitUsage, std::string(e.what()) + "; try \"taskctl " +
                                     std::string(verb.name) + " --help\"");
  }
}

// Prints `what` even if stdout is broken, which may be the reason.
int fail(std::string_view what, int exit_code) {
  if (!what.empty()) write_all(2, std::string("taskctl: ").append(what).append("\n"));
  return exit_code;
}

}  // namespace

std::span<const Verb> all_verbs() {
  return kVerbs;
}

const Verb& verb_named(std::string_view name) {
  const Verb* const verb = find_verb(name);
  if (verb != nullptr) return *verb;
  std::string what = "there is no verb \"" + escape_for_humans(name) + "\"; ";
  const std::string_view nearest = nearest_verb(name);
  if (!nearest.empty()) what.append("did you mean \"").append(nearest).append("\"? ");
  throw UsageError(kExitUsage, what + "\"taskctl help\" lists them");
}

const Verb* find_verb(std::string_view name, std::span<const Verb> verbs) {
  for (const Verb& verb : verbs) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

std::string_view nearest_verb(std::string_view name, std::span<const Verb> verbs) {
  std::string_view nearest;
  std::size_t best = kMaxTypos + 1;
  for (const Verb& verb : verbs) {
    const std::size_t distance = edit_distance(name.substr(0, 32), verb.name);
    const bool begins = name.size() >= 2 && verb.name.starts_with(name);
    if (!begins && distance >= std::min(best, verb.name.size())) continue;
    nearest = verb.name;
    if (begins) return nearest;
    best = distance;
  }
  return nearest;
}

Words verb_first(const Words& argv) {
  auto verb = argv.begin();
  while (verb != argv.end() && verb->starts_with('-') && *verb != "--") {
    const bool two_words = takes_value(*verb) && argv.end() - verb > 1;
    verb += two_words ? 2 : 1;
  }
  if (verb == argv.end()) return argv;
  Words out{*verb};
  out.insert(out.end(), argv.begin(), verb);
  out.insert(out.end(), verb + 1, argv.end());
  return out;
}

int run_taskctl(Context& context, const Words& argv) {
  try {
    const int exit_code = dispatch(context, argv);
    context.out.flush();
    return exit_code;
  } catch (const UsageError& e) {
    return fail(e.what(), e.exit_code);
  } catch (const Failure& e) {
    // Output from before the failure is still printed, unless printing failed.
    if (e.exit_code != kExitOutput && e.exit_code != kExitClosedPipe) {
      try {
        context.out.flush();
      } catch (const Failure& output) {
        return fail(output.what(), output.exit_code);
      }
    }
    return fail(e.what(), e.exit_code);
  } catch (const std::system_error& e) {
    if (!is_shortage(e.code().value()))
      return fail(std::string("unexpected: ") + escape_for_humans(e.what()), kExitInternal);
    return fail(escape_for_humans(e.what()) +
                    "; nothing else is wrong: try again when the machine " +
                    "has more room, or raise its limits (ulimit -a)",
                kExitTryLater);
  } catch (const std::bad_alloc&) {
    return fail("out of memory; try again when the machine has more room", kExitTryLater);
  } catch (const std::exception& e) {
    return fail(std::string("unexpected: ") + escape_for_humans(e.what()), kExitInternal);
  }
}

}  // namespace taskd::ctl
