#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/selector.h"
#include "ctl/submit_options.h"

namespace taskd::ctl {
namespace {

// What the caller calls "last" is told by the daemon.
void resolve_last(const Client& client, nlohmann::json& body) {
  const bool like_last = body.value("like", nlohmann::json()) == "last";
  if (!like_last && !comes_after_last(body)) return;
  const TaskId last = read_task(client.get("/v1/tasks/last")).id;
  if (like_last) body["like"] = last;
  if (!body.contains("depends_on")) return;
  for (nlohmann::json& dependency : body["depends_on"]) {
    if (dependency.at("task") == kLastTask) dependency["task"] = last;
  }
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
                                   : "; look with \"taskctl list\" before you repeat it (with an "
                                     "--idempotency-key, repeating is safe)";
    throw DaemonAway(away.exit_code, away.what() + std::string(remedy));
  }
}

nlohmann::json SubmitOptions::submit(Context& context, const Client& client,
                                     nlohmann::json body) const {
  resolve_last(client, body);
  nlohmann::json answer = send(client, "/v1/tasks", body);
  tell_if_existing(context, answer);
  return answer;
}

bool comes_after_last(const nlohmann::json& body) {
  const auto dependencies = body.find("depends_on");
  if (dependencies == body.end()) return false;
  return std::any_of(dependencies->begin(), dependencies->end(),
                     [](const nlohmann::json& one) { return one.at("task") == kLastTask; });
}

void tell_if_existing(Context& context, const nlohmann::json& answer) {
  if (answer.contains("existing"))
    context.say("a task with this --unique key is there already; nothing was submitted");
}

}  // namespace taskd::ctl
