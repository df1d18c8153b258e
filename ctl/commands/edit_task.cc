#include "ctl/commands/edit_task.h"

#include "ctl/options/selector.h"
#include "ctl/options/task_document.h"
#include "ctl/terminal/confirm.h"
#include "ctl/terminal/editor.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

HttpRequest patch_request(const TaskEdit& edit, const nlohmann::json& patch) {
  HttpRequest request;
  request.method = edit.retry ? "POST" : "PATCH";
  request.target = "/v1/tasks/" + std::to_string(edit.id) + (edit.retry ? "/retry" : "");
  request.body = (edit.retry ? nlohmann::json{{"edit", patch}} : patch).dump();
  return request;
}

struct Found {
  nlohmann::json task;
  std::string etag;
};

Found find_task(const Client& client, const TaskEdit& edit) {
  const Exchange exchange = client.ask({.method = "GET",
                                        .target = "/v1/tasks/" + std::to_string(edit.id),
                                        .headers = {},
                                        .body = {}});
  Found found{client.result_of(exchange), ""};
  if (const std::string* etag = exchange.answer().header("etag")) found.etag = *etag;
  return found;
}

}  // namespace

void check_state(const Task& task, bool retry) {
  const bool fits =
      retry ? is_end(task.state) : !is_end(task.state) && task.state != State::running;
  if (!fits)
    throw Failure(kExitConflict, std::string("cannot ") + (retry ? "retry" : "edit") + " task " +
                                     std::to_string(task.id) + ": " + state_sentence(task.state));
}

void EditOptions::declare(Args& args) {
  task_.declare(args, OptionsOf::edit);
  args.list("--unset-env", "K", unset_env_, "remove this variable");
  args.list("--unset-label", "K", unset_labels_, "remove this label");
}

nlohmann::json EditOptions::to_patch(Context& context) const {
  nlohmann::json patch = task_.to_patch(context);
  for (const std::string& variable : unset_env_) patch["env"][variable] = nullptr;
  for (const std::string& label : unset_labels_) patch["labels"][label] = nullptr;
  return patch;
}

nlohmann::json send_patch(const Client& client, const TaskEdit& edit, const nlohmann::json& patch) {
  return client.call(patch_request(edit, patch));
}

nlohmann::json edit_in_editor(Context& context, const Client& client, const TaskEdit& edit) {
  const Found found = find_task(client, edit);
  const Task task = read_task(found.task);
  check_state(task, edit.retry);
  const TaskEdit this_one{.id = task.id, .retry = edit.retry};
  const nlohmann::json before = editable_part(found.task);
  const std::string title =
      "Task " + std::to_string(this_one.id) + ", " + std::string(to_string(task.state));
  EditedFile file(context, write_document(before, title));
  while (true) {
    file.edit(context);
    try {
      const nlohmann::json patch = patch_between(before, read_document(file.text()));
      if (patch.empty() && !edit.retry) return nullptr;
      HttpRequest request = patch_request(this_one, patch);
      request.headers.emplace_back("If-Match", found.etag);
      return client.call(request);
    } catch (const Failure& failure) {
      const bool can_be_mended = failure.exit_code == kExitBadData && can_ask();
      if (can_be_mended) {
        context.say(failure.what());
        if (confirm("Edit it again?")) continue;
      }
      file.keep();
      throw Failure(failure.exit_code, std::string(failure.what()) +
                                           "; nothing was changed, and your text is in " +
                                           escape_for_humans(file.path()));
    }
  }
}

}  // namespace taskd::ctl
