// The options of every verb: which daemon to ask, and whether to use colours.
#pragma once

#include "ctl/base/context.h"
#include "ctl/base/output.h"
#include "ctl/net/client.h"
#include "ctl/options/args.h"

namespace taskd::ctl {

// A client for the daemon that the options and the environment name.
Client connect(const Context& context, const CommonOptions& common);
Client connect(const Context& context, const CommonOptions& common, int answer_ms);
// Colours according to --color and the environment, for stdout or for `fd`.
Painter make_painter(const Context& context, const CommonOptions& common);
Painter make_painter(const Context& context, const CommonOptions& common, int fd);

}  // namespace taskd::ctl
