// What the options that every verb has mean: whom to ask, and how to paint.
#pragma once

#include "ctl/base/context.h"
#include "ctl/base/output.h"
#include "ctl/net/client.h"
#include "ctl/options/args.h"

namespace taskd::ctl {

// A client of the daemon that the options and the environment name.
Client connect(const Context& context, const CommonOptions& common);
Client connect(const Context& context, const CommonOptions& common, int answer_ms);
// As --color and the environment want it for stdout, or for `fd`.
Painter make_painter(const Context& context, const CommonOptions& common);
Painter make_painter(const Context& context, const CommonOptions& common, int fd);

}  // namespace taskd::ctl
