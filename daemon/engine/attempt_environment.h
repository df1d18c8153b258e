// The environment variables that describe an attempt to its command, beyond those every attempt
// has. Pure.
#pragma once

#include <map>
#include <string>

#include "daemon/store/task_store.h"

namespace taskd {

// In an array TASKD_ARRAY_ID and TASKD_ARRAY_INDEX; TASKD_SLOTS, if not 1; and for each resource
// TASKD_RESOURCE_<NAME>: the amount that the attempt holds or, if indexed, the units. A resource
// `gpu` also sets CUDA_VISIBLE_DEVICES.
std::map<std::string, std::string> environment_of(const Claim& claim);

}  // namespace taskd
