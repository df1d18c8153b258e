// Writes tasks into answers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/api/request/call.h"
#include "daemon/api/request/page.h"

namespace taskd {

// Adds up to `limit` tasks to the page, fewer if they are long. Returns the next cursor, bound to
// `list`; null at the end.
nlohmann::json add_tasks(const ApiContext& context, ListRequest request, std::size_t limit,
                         const std::string& list, Page& page);
// The ETag of a task. An edit changes it.
std::string etag_of(const Task& task);

}  // namespace taskd
