#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/options/selector.h"
#include "ctl/options/submit_options.h"

namespace taskd::ctl {
namespace {

// Names (such as "last") are resolved by the daemon.
void resolve_names(const Client& client, nlohmann::json& body) {
  if (body.contains("like")) body["like"] = resolve_one(client, body["like"].get<std::string>());
}

}  // namespace

nlohmann::json SubmitOptions::send(const Client& client, const std::string& target,
                                   const nlohmann::json& body) const {
  HttpRequest request;
  request.method = "POST";
  request.target = target;
  request.body = body.dump();
  if (const auto key = idempotency_key()) request.headers.emplace_back("Idempotency-Key", *key);
  try {
    return client.call(request);
  } catch (const DaemonAway& away) {
    if (!away.outcome_unknown) throw;
    const char* const remedy = idempotency_key_
                                   ? "; repeat it with the same --idempotency-key"
                                   : "; check with \"taskctl list\" before you repeat it (with an "
                                     "--idempotency-key, repeating is safe)";
    throw DaemonAway(away.exit_code, away.what() + std::string(remedy));
  }
}

nlohmann::json SubmitOptions::submit(Context& context, const Client& client,
                                     nlohmann::json body) const {
  resolve_names(client, body);
  nlohmann::json answer = send(client, "/v1/tasks", body);
  tell_of_answer(context, client, answer);
  return answer;
}

bool comes_after_last(const nlohmann::json& body) {
  const auto dependencies = body.find("depends_on");
  if (dependencies == body.end()) return false;
  return std::any_of(dependencies->begin(), dependencies->end(),
                     [](const nlohmann::json& one) { return one.value("tasks", "") == "last"; });
}

void tell_of_answer(Context& context, const Client& client, const nlohmann::json& answer) {
  if (answer.contains("existing"))
    return context.say("a task with this --unique key already exists; nothing was submitted");
  const Task submitted = read_task(answer);
  if (submitted.spec.constraints.depends_on.empty()) return;
  // The answer was written before the dependencies were checked. For an array, the first task
  // stands for all.
  const Task task = get_task(client, submitted.id);
  if (task.attempt == 0 && is_end(task.state))
    context.say("task " + std::to_string(task.id) + " has " +
                (task.state == State::failed ? "failed" : "been cancelled") +
                " at once: a task that it depends on (--after) had already ended otherwise");
}

}  // namespace taskd::ctl
