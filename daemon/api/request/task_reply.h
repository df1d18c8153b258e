// How tasks are answered.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/api/request/call.h"
#include "daemon/api/request/page.h"

namespace taskd {

// Adds to the page up to `limit` tasks of the request, fewer where they are long. The cursor after
// them, bound to `list`; null at the end.
nlohmann::json add_tasks(const ApiContext& context, ListRequest request, std::size_t limit,
                         const std::string& list, Page& page);
// The ETag of a task: another one once it was edited.
std::string etag_of(const Task& task);

}  // namespace taskd
