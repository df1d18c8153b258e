// The tasks that a verb applies to, and running the verb. Thread-safe; throws ProblemError.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "daemon/api/request/call.h"

namespace taskd {

// Reads the ids, names or filter in the body of a bulk verb, an object, and whether it is a dry
// run, into `request`, whose actor and verb are set. invalid_request, no_such_task, unknown_queue,
// unknown_user, unknown_key, unknown_workflow, unknown_array, array_being_submitted.
void read_targets(const ApiContext& context, const nlohmann::json& body, ControlRequest& request);
// The tasks in named ranges and arrays that the verb does not apply to, as [{"state","count"}].
// Call before running the verb.
nlohmann::json unchanged_of(const ApiContext& context, const ControlRequest& request);
// Runs the verb and returns the first of its changes (a filter may change millions);
// request.on_commit gets all. no_such_task, wrong_state, queue_full.
std::vector<ControlChange> control(const ApiContext& context, const ControlRequest& request);
// Runs the verb as a dry run and returns its answer. Throws the same.
Reply preview_reply(const ApiContext& context, const ControlRequest& request);

}  // namespace taskd
