// What cancel, retry, hold, release and rm have in common: a selection, one request, and a word
// about what changed.
#pragma once

#include "ctl/verbs.h"

namespace taskd::ctl {

struct ControlVerb {
  std::string_view name;  // on the command line
  std::string_view path;  // POST /v1/tasks:path
  std::string_view done;  // "cancelled 3 tasks"
  HelpText help;
};

int run_control(Context& context, const Words& argv, const ControlVerb& verb);

}  // namespace taskd::ctl
