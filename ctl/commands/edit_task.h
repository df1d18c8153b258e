// Changes about one task, by options or in an editor: what `edit` and `retry --edit` share.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/net/client.h"
#include "ctl/options/submit_options.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

class EditOptions {
 public:
  void declare(Args& args);
  // What the options change, as PATCH /v1/tasks/{id} takes it; empty where none is given.
  nlohmann::json to_patch(Context& context) const;

 private:
  SubmitOptions task_;
  std::vector<std::string> unset_env_, unset_labels_;
};

struct TaskEdit {
  TaskId id = 0;
  bool retry = false;  // it has ended, and is to run again
};

// Throws Failure (73) if a task in this state is not edited: before anything is typed in vain, or
// is done to others. The daemon looks again.
void check_state(const Task& task, bool retry);

// Sends the patch; returns the task as it is then.
nlohmann::json send_patch(const Client& client, const TaskEdit& edit, const nlohmann::json& patch);

// Lets the person edit the task until the daemon takes it, or they give up. Returns the task as it
// is then; null when nothing was changed. A text that is refused is kept when nobody can be asked.
nlohmann::json edit_in_editor(Context& context, const Client& client, const TaskEdit& edit);

}  // namespace taskd::ctl
