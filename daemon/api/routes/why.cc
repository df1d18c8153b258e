#include <nlohmann/json.hpp>

#include "daemon/api/request/names.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/text.h"

namespace taskd {

Reply show_why(const ApiContext& context, const Call& call) {
  call.query.finish();
  const TaskId id = task_id_of(context, call);
  const auto why = context.store.why(call.actor, id);
  if (!why) no_such_task(id);
  nlohmann::json answer = why_to_json(*why);
  answer["id"] = id;
  answer["text"] =
      describe_why(*why, {.time = [](WallTime time) { return format_rfc3339(time); },
                          .user = [](std::uint32_t uid) { return "uid " + std::to_string(uid); }});
  return json_reply(200, answer);
}

}  // namespace taskd
