// What the verbs that change several tasks have in common: a selection, a question before the deed
// or a dry run instead of it, one request, and a word about what changed.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ctl/commands/verbs.h"
#include "ctl/options/selector.h"

namespace taskd::ctl {

struct ControlVerb {
  std::string_view name;  // on the command line
  std::string_view path;  // POST /v1/tasks:path
  std::string_view act;   // "cancel 3 tasks?"
  std::string_view done;  // "cancelled 3 tasks"
  HelpText help;
};

int run_control(Context& context, const Words& argv, const ControlVerb& verb);

// What a verb was asked besides its own options.
struct ControlOptions {
  CommonOptions common;
  SelectorOptions selector;
  bool dry_run = false;
  bool yes = false;
  bool json = false;
  bool quiet = false;

  void declare(Args& args);
};
// Sends `body` with what is selected, and tells what changed.
int change_tasks(Context& context, const ControlVerb& verb, const ControlOptions& options,
                 nlohmann::json body);
// The same where the body names the tasks: its "ids" or its "filter".
int change_named(Context& context, const ControlVerb& verb, const ControlOptions& options,
                 const Client& client, nlohmann::json body);

}  // namespace taskd::ctl
