#include "bench/task_body.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/task/spec_json.h"

namespace taskd::bench {

std::string typical_task(int priority) {
  return R"({"argv":["/bin/true","--input","/srv/media/incoming/film-00017.mkv",)"
         R"("--output","/srv/media/done/film-00017.mp4"],"name":"transcode","cwd":"/",)"
         R"("timeout_ms":3600000,"max_attempts":3,"priority":)" +
         std::to_string(priority) + "}";
}

std::string typical_task_stored() {
  const auto task = new_task_from_json(nlohmann::json::parse(typical_task(0)));
  if (!std::holds_alternative<NewTask>(task)) throw std::logic_error("the typical task is refused");
  return spec_to_stored(std::get<NewTask>(task).spec);
}

std::string bulk_of(const std::string& task, int count) {
  std::string body = R"({"tasks":[)";
  for (int i = 0; i < count; ++i) {
    if (i > 0) body += ',';
    body += task;
  }
  return body + "]}";
}

}  // namespace taskd::bench
