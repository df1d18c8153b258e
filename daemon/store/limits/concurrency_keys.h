// Keys, as the writer sees them. In each queue as many tasks of a key are `queued` as the key would
// let start now, the first in line; its others are `blocked`. Claims so find only tasks that may
// start, and pass over none.
//
// Used by the writer thread alone, but for what takes only a Connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/limits/may_start.h"
#include "daemon/store/write/transaction.h"

namespace taskd {

// A key's row.
struct StoredKey {
  std::int64_t id = 0;
  std::uint32_t uid = 0;
  std::string name;
  std::optional<int> concurrency;
  std::optional<RateLimit> rate;
  RecentStarts starts;
  std::optional<WallTime> wake_at;  // set while its rate holds tasks back
};
std::optional<StoredKey> load_key(Connection& db, std::int64_t id);

// How many of its tasks may start now. For a reader, too.
KeyAllowance allowance_of(Connection& db, const StoredKey& key, WallTime now);

bool is_key(Connection& db, std::uint32_t uid, const std::string& name);

// The id of the user's key, which is made where it is new and gets the limits that `use` names.
// Nothing without a key.
std::optional<std::int64_t> find_key(Transaction& transaction, std::uint32_t uid,
                                     const KeyUse& use);

// After its rate was changed: what was started under the old one delays nothing for longer than an
// interval of the new one.
void cap_key_starts(Transaction& transaction, std::int64_t key);

// Whether one more task of the queue may be `queued` rather than `blocked`.
bool has_key_room(Transaction& transaction, std::int64_t key, const std::string& queue);

// A task of the key starts: its rate counts it.
void count_key_start(Transaction& transaction, std::int64_t key);

// Unblocks and blocks until all keys that the transaction touched are as they should be. To be
// called before anything asks which task may start, and at a command's end.
void propagate_keys(Transaction& transaction);

// After the clock was put back: none waits for longer than its rate says.
void rewind_keys(Transaction& transaction, WallTime now);
// Settles up to `limit` keys whose rate lets one more start by now, fewer where they have many
// tasks; the others are due still.
void wake_keys(Transaction& transaction, WallTime now, int limit);
// When the next is to be woken.
std::optional<WallTime> next_key_wake(Connection& db);

// After the last of its tasks is removed.
void forget_unused_key(Connection& db, std::int64_t key);

}  // namespace taskd
