// Queues and keys: their limits, and what these hold back. A part of TaskStore: see there for
// threads, durability and errors.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/store/part.h"
#include "daemon/store/requests.h"

namespace taskd {

class StoreQueues : protected StorePart {
 public:
  // Creates the queues that are missing and applies the patches. Other queues stay as they are.
  void configure_queues(std::span<const QueuePatch> queues);
  // Changes the queue's settings. Creates a missing queue if `create`. Limits never stop running
  // tasks, and a capacity refuses only new tasks.
  QueueResult set_queue(const Actor& actor, const QueuePatch& patch, bool create);
  QueueResult control_queue(const Actor& actor, const std::string& queue, QueueVerb verb,
                            const std::string& why = "");
  // Removes only a queue that has no tasks, not even ended ones, and to which no schedule submits.
  QueueResult remove_queue(const Actor& actor, const std::string& queue);
  std::optional<QueueInfo> queue(const std::string& name);
  std::vector<QueueInfo> queues();  // by name
  // The queue's defaults for fields that a submit omits, as JSON; "" = none. Kept in memory, since
  // every submit asks.
  std::string queue_defaults(const std::string& queue);
  // Sets the limits of one of the actor's keys (for an admin: anyone's), for all its tasks, at
  // once. A key exists as long as a task has it.
  KeyResult set_key(const Actor& actor, const KeyPatch& patch);
  // Newest first, at most `limit`. If `next` is set there may be more, before that id.
  struct Keys {
    std::vector<KeyInfo> keys;
    std::optional<std::int64_t> next;
  };
  Keys keys(const KeysRequest& request);
  // Whether the actor (for an admin: anybody) has a key of this name.
  bool has_key(const Actor& actor, const std::string& name);
  // How long until the queue will have started `count` of its waiting tasks, if they take as long
  // as the latest. Nothing if that cannot be estimated.
  std::optional<std::int64_t> room_in_ms(const std::string& queue, std::int64_t count);

 protected:
  using StorePart::StorePart;
  void load_queue_defaults();
};

}  // namespace taskd
