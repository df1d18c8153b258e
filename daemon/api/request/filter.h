// Parsing of filters, which are the same in the query of a list and in the body of a bulk verb.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/api/request/context.h"
#include "daemon/api/request/query.h"
#include "daemon/store/task_store.h"

namespace taskd {

// Takes the filter's parameters out of a query, as the object that a body would have. Filters with
// the same text give equal objects. invalid_request.
nlohmann::json take_filter(HttpQuery& query);
// Parses such an object. Rejects an unknown queue, user, key or workflow, since it is probably a
// typo. invalid_request, unknown_queue, unknown_user, unknown_key, unknown_workflow, unknown_array.
Filter filter_of_query(const ApiContext& context, const Actor& actor, const nlohmann::json& words);

// The `filter` of a body. invalid_request, unknown_queue, unknown_user, unknown_key,
// unknown_workflow, unknown_array.
Filter filter_of_body(const ApiContext& context, const Actor& actor, const nlohmann::json& value);

}  // namespace taskd
