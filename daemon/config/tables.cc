#include "daemon/config/tables.h"

#include <algorithm>
#include <iterator>

#include "daemon/config/handlers.h"
#include "daemon/config/hooks.h"
#include "daemon/config/queues.h"
#include "daemon/config/resources.h"

namespace taskd {
namespace {

constexpr std::string_view kTables[] = {"hooks", "resources", "queues", "handlers"};

}  // namespace

bool is_table(std::string_view key) {
  return std::find(std::begin(kTables), std::end(kTables), key) != std::end(kTables);
}

void read_tables(const std::string& file, const toml::table& document, Config& config) {
  // First, since queues and handlers refer to them.
  if (const auto* hooks = document.get("hooks")) config.hooks = read_hooks(file, *hooks);
  if (const auto* resources = document.get("resources")) {
    config.resources = read_resources(file, *resources);
  }
  const Machine machine{config.workers, config.resources};
  if (const auto* queues = document.get("queues")) {
    config.queues = read_queues(file, *queues, config.hooks, machine);
  }
  if (const auto* handlers = document.get("handlers")) {
    config.handlers.declared = read_handlers(file, *handlers, config.hooks, machine);
  }
}

}  // namespace taskd
