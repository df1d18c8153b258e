// The submit itself, of whichever route.
#pragma once

#include <functional>
#include <string>

#include "daemon/api/request/context.h"

namespace taskd {

// `pointer_to` tells where the task of that index stands in the body. Every way a submit can fail.
Submitted submit_or_refuse(const ApiContext& context, const SubmitRequest& request,
                           const std::function<std::string(std::size_t)>& pointer_to);

}  // namespace taskd
