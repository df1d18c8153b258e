// Queues and keys: their limits, and what they hold back.
// A part of TaskStore: see there for threads, durability and errors.
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
  // Makes these queues exist and have what the patches say; others stay as they are.
  void configure_queues(std::span<const QueuePatch> queues);
  // Changes the queue's settings. A queue that is not there is made, if `create`. Limits never stop
  // what runs, and a capacity refuses only what comes.
  QueueResult set_queue(const Actor& actor, const QueuePatch& patch, bool create);
  QueueResult control_queue(const Actor& actor, const std::string& queue, QueueVerb verb,
                            const std::string& why = "");
  // Only one that has no tasks, not even ended ones, and to which no schedule submits.
  QueueResult remove_queue(const Actor& actor, const std::string& queue);
  std::optional<QueueInfo> queue(const std::string& name);
  std::vector<QueueInfo> queues();  // by name
  // What a submit into it takes that says nothing else, as JSON; "" without any. From memory, since
  // every submit asks.
  std::string queue_defaults(const std::string& queue);
  // Gives a key of the actor's (an admin: anyone's) these limits, at once for all tasks that have
  // it. A key is there as long as a task has it.
  KeyResult set_key(const Actor& actor, const KeyPatch& patch);
  // The newest first, at most `limit`; with `next` there may be more, before that id.
  struct Keys {
    std::vector<KeyInfo> keys;
    std::optional<std::int64_t> next;
  };
  Keys keys(const KeysRequest& request);
  // Whether there is a key of this name: the actor's own, or of an admin anybody's.
  bool has_key(const Actor& actor, const std::string& name);
  // In how long the queue will have started `count` of the tasks that wait in it, if they take as
  // long as the latest. Nothing where that cannot be told.
  std::optional<std::int64_t> room_in_ms(const std::string& queue, std::int64_t count);

 protected:
  using StorePart::StorePart;
  void load_queue_defaults();
};

}  // namespace taskd
