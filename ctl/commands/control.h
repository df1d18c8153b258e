// Shared by the verbs that change several tasks: a selection, a confirmation or a dry run, one
// request, and a summary of the changes.
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

// The options shared by these verbs.
struct ControlOptions {
  CommonOptions common;
  SelectorOptions selector;
  bool dry_run = false;
  bool yes = false;
  bool json = false;
  bool quiet = false;

  void declare(Args& args);
};
// Sends `body` with the selection and prints what changed.
int change_tasks(Context& context, const ControlVerb& verb, const ControlOptions& options,
                 nlohmann::json body);
// The same if the body names the tasks: its "ids" or its "filter".
int change_named(Context& context, const ControlVerb& verb, const ControlOptions& options,
                 const Client& client, nlohmann::json body);

}  // namespace taskd::ctl
