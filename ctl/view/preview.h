// Describes the result of a dry run.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/task/task.h"

namespace taskd::ctl {

struct PreviewCount {
  std::string queue;
  State state = State::queued;
  std::int64_t count = 0;
};

struct Preview {
  std::int64_t count = 0;
  std::vector<PreviewCount> counts;
  std::vector<TaskId> ids;  // the first of them
  std::string full_queue;   // the queue where it would stop; "" = none
};

// Throws Failure (76).
Preview read_preview(const nlohmann::json& answer);

// "Cancel 1,204 tasks (1,200 queued, 4 running)?" `act` names the verb.
std::string question_about(const Preview& preview, std::string_view act);

// "would cancel 1,204 tasks (…), of which these are the first 10; by queue: mail 1,200, web 4".
std::string describe_dry_run(const Preview& preview, std::string_view act, std::size_t shown);

}  // namespace taskd::ctl
