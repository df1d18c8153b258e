// The submit shared by all routes.
#pragma once

#include <functional>
#include <string>

#include "daemon/api/request/context.h"

namespace taskd {

// `pointer_to` returns the pointer of the task with that index. Throws every error of a submit.
Submitted submit_or_refuse(const ApiContext& context, const SubmitRequest& request,
                           const std::function<std::string(std::size_t)>& pointer_to);

}  // namespace taskd
