#include "daemon/api/request/task_reply.h"

#include <nlohmann/json.hpp>

#include "daemon/api/request/batch_size.h"
#include "daemon/api/request/page.h"
#include "daemon/base/digest.h"
#include "daemon/task/spec_json.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kTagDigits = 16;

}  // namespace

json add_tasks(const ApiContext& context, ListRequest request, std::size_t limit,
               const std::string& list, Page& page) {
  request.limit = static_cast<int>(limit) + 1;
  std::vector<TaskId> ids = context.store.list_ids(request);
  bool more = ids.size() > limit;
  if (more) ids.pop_back();  // it only showed that there are more
  if (ids.empty()) return nullptr;
  TaskId last = ids.back();
  std::size_t read_bytes = 0;
  context.store.visit(request.actor, ids, [&](const Task& task) {
    page.add(write_task, task);
    read_bytes += text_bytes(task.spec);
    const bool has_room = !page.is_full() && read_bytes < kMaxReadBytes;
    if (!has_room && task.id != last) {
      last = task.id;
      more = true;
    }
    return has_room;
  });
  return more ? json(make_cursor(last, list)) : json(nullptr);
}

std::string etag_of(const Task& task) {
  const json content = {spec_to_stored(task.spec), task.spec.queue, task.spec.name,
                        task.spec.priority, task.due_at ? task.due_at->ms : -1};
  return '"' + sha256_hex(content.dump()).substr(0, kTagDigits) + '"';
}

}  // namespace taskd
