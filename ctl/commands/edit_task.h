// Edits one task, by options or in an editor: shared by `edit` and `retry --edit`.
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
  // The changes for PATCH /v1/tasks/{id}; empty if no option is given.
  nlohmann::json to_patch(Context& context) const;

 private:
  SubmitOptions task_;
  std::vector<std::string> unset_env_, unset_labels_;
};

struct TaskEdit {
  TaskId id = 0;
  bool retry = false;  // it has ended, and shall run again
};

// Throws Failure (73) if a task in this state cannot be edited, before anybody types or other tasks
// change. The daemon checks again.
void check_state(const Task& task, bool retry);

// Sends the patch; returns the resulting task.
nlohmann::json send_patch(const Client& client, const TaskEdit& edit, const nlohmann::json& patch);

// Lets the person edit the task until the daemon accepts it or they give up. Returns the resulting
// task; null if nothing changed. If nobody can be asked, keeps the file with the rejected text.
nlohmann::json edit_in_editor(Context& context, const Client& client, const TaskEdit& edit);

}  // namespace taskd::ctl
