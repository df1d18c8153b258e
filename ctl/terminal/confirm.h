// Asks for confirmation at a terminal.
#pragma once

#include <string>

namespace taskd::ctl {

// Whether stdin and stderr are terminals.
bool can_ask();

// Asks on stderr, reads the answer from stdin. Only "y" and "yes" mean yes.
bool confirm(const std::string& question);

}  // namespace taskd::ctl
