#include <nlohmann/json.hpp>

#include "daemon/api/request/batch_size.h"
#include "daemon/api/request/page.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/text.h"
#include "daemon/task/queue_handler_defaults.h"

namespace taskd {
namespace {

using nlohmann::json;

// The handler's program without its arguments, which may be confidential.
std::string program_of(const Handler& handler) {
  return handler.argv.empty() ? "/bin/sh" : handler.argv.front();
}

}  // namespace

Reply list_handlers(const ApiContext& context, const Call& call) {
  call.query.finish();
  json list = json::array();
  if (context.handlers != nullptr) {
    for (const auto& [name, handler] : context.handlers->declared) {
      list.push_back({{"name", name},
                      {"program", program_of(handler)},
                      {"user", handler.user_uid ? json(*handler.user_uid) : json(nullptr)},
                      {"defaults", json::parse(handler.defaults)}});
    }
  }
  return json_reply(200, {{"handlers", std::move(list)}, {"next_cursor", nullptr}});
}

}  // namespace taskd
