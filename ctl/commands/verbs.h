// The verbs of taskctl, each in commands/<verb>.cc, and their dispatch.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/options/connect.h"

namespace taskd::ctl {

using Words = std::vector<std::string>;

struct Verb {
  std::string_view name;
  std::string_view group;
  std::string_view summary;
  // `argv` holds the arguments after the verb. Returns the exit code.
  int (*run)(Context& context, const Words& argv);
};

std::span<const Verb> all_verbs();
const Verb* find_verb(std::string_view name, std::span<const Verb> verbs = all_verbs());
// Throws UsageError (64), naming the nearest verb, if there is none.
const Verb& verb_named(std::string_view name);
// The verb that `name` is probably a misspelling of, or "".
std::string_view nearest_verb(std::string_view name, std::span<const Verb> verbs = all_verbs());
// Moves options before the verb behind it: "--socket S list -q x" -> "list --socket S -q x".
Words verb_first(const Words& argv);

// Runs taskctl: `argv` without the program's name. Prints every error on stderr and returns the
// exit code.
int run_taskctl(Context& context, const Words& argv);

int submit_command(Context& context, const Words& argv);
int run_command(Context& context, const Words& argv);
int list_command(Context& context, const Words& argv);
int show_command(Context& context, const Words& argv);
int workflow_command(Context& context, const Words& argv);
int why_command(Context& context, const Words& argv);
int logs_command(Context& context, const Words& argv);
int wait_command(Context& context, const Words& argv);
int queue_command(Context& context, const Words& argv);
int key_command(Context& context, const Words& argv);
int schedule_command(Context& context, const Words& argv);
int hooks_command(Context& context, const Words& argv);
int handlers_command(Context& context, const Words& argv);
int stats_command(Context& context, const Words& argv);
int cancel_command(Context& context, const Words& argv);
int retry_command(Context& context, const Words& argv);
int hold_command(Context& context, const Words& argv);
int release_command(Context& context, const Words& argv);
int signal_command(Context& context, const Words& argv);
int progress_command(Context& context, const Words& argv);
int result_command(Context& context, const Words& argv);
int edit_command(Context& context, const Words& argv);
int move_command(Context& context, const Words& argv);
int prune_command(Context& context, const Words& argv);
int rm_command(Context& context, const Words& argv);
int daemon_command(Context& context, const Words& argv);
int doctor_command(Context& context, const Words& argv);
int help_command(Context& context, const Words& argv);

// The output of plain `taskctl`: the verbs by group, with examples.
std::string help_text();

}  // namespace taskd::ctl
