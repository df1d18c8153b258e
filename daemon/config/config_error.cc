#include "daemon/config/config_error.h"

#include <sysexits.h>

#include "daemon/base/errors.h"

namespace taskd {

std::string place_of(const std::string& file, const toml::node& node, const std::string& key) {
  return file + ":" + std::to_string(node.source().begin.line) + ": " + key;
}

void refuse(const std::string& where, const std::string& what) {
  throw UsageError(EX_CONFIG, where + ": " + what);
}

}  // namespace taskd
