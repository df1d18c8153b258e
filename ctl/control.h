// What cancel, retry, hold, release, move and rm have in common: a selection, one request, and a
// word about what changed.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ctl/selector.h"
#include "ctl/verbs.h"

namespace taskd::ctl {

struct ControlVerb {
  std::string_view name;  // on the command line
  std::string_view path;  // POST /v1/tasks:path
  std::string_view done;  // "cancelled 3 tasks"
  HelpText help;
};

int run_control(Context& context, const Words& argv, const ControlVerb& verb);

// What a verb was asked besides its own options.
struct ControlOptions {
  CommonOptions common;
  SelectorOptions selector;
  bool json = false;
  bool quiet = false;

  void declare(Args& args);
};
// Sends `body` with what is selected, and tells what changed.
int change_tasks(Context& context, const ControlVerb& verb, const ControlOptions& options,
                 nlohmann::json body);

}  // namespace taskd::ctl
