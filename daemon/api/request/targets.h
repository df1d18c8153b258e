// The tasks that a verb is for, and the verb done to them. Thread-safe; throws ProblemError.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "daemon/api/request/call.h"

namespace taskd {

// The ids, names or filter in the body of a bulk verb, an object, and whether it is a dry run, for
// `request`, whose actor and verb are set. invalid_request, no_such_task, unknown_queue,
// unknown_user, unknown_key, unknown_workflow, unknown_array, array_being_submitted.
void read_targets(const ApiContext& context, const nlohmann::json& body, ControlRequest& request);
// Of named ranges and arrays what the verb does not apply to, as [{"state","count"}]. Before it is
// done.
nlohmann::json unchanged_of(const ApiContext& context, const ControlRequest& request);
// What was changed: the first of it, since a filter may change millions; request.on_commit is told of
// all. no_such_task, wrong_state, queue_full.
std::vector<ControlChange> control(const ApiContext& context, const ControlRequest& request);
// The answer to a dry run. The same.
Reply preview_reply(const ApiContext& context, const ControlRequest& request);

}  // namespace taskd
