// Keys, on the writer thread. In each queue, only as many tasks of a key are `queued` as the key
// allows to start now, the first in line; the others are `blocked`. So claims find only tasks that
// may start, and skip none.
//
// Used by the writer thread alone, except functions that take only a Connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/limits/may_start.h"
#include "daemon/store/write/transaction.h"

namespace taskd {

// The row of a key.
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

// How many of its tasks may start now. Also for readers.
KeyAllowance allowance_of(Connection& db, const StoredKey& key, WallTime now);

bool is_key(Connection& db, std::uint32_t uid, const std::string& name);

// The id of the user's key, which is created if new and gets the limits that `use` names. Nothing
// without a key.
std::optional<std::int64_t> find_key(Transaction& transaction, std::uint32_t uid,
                                     const KeyUse& use);

// Call after the key's rate changed: starts under the old rate delay nothing for longer than one
// interval of the new rate.
void cap_key_starts(Transaction& transaction, std::int64_t key);

// Whether one more task of the queue may be `queued` instead of `blocked`.
bool has_key_room(Transaction& transaction, std::int64_t key, const std::string& queue);

// Counts a start against the key's rate.
void count_key_start(Transaction& transaction, std::int64_t key);

// Blocks and unblocks tasks until every key that the transaction touched is consistent. Call before
// anything asks which task may start, and at the end of a command.
void propagate_keys(Transaction& transaction);

// Call after the clock was set back: no key then waits for longer than its rate requires.
void rewind_keys(Transaction& transaction, WallTime now);
// Updates up to `limit` keys whose rate allows another start by now, fewer if they have many tasks;
// the others stay due.
void wake_keys(Transaction& transaction, WallTime now, int limit);
// When the next key is due.
std::optional<WallTime> next_key_wake(Connection& db);

// Call after the last task of the key is removed.
void forget_unused_key(Connection& db, std::int64_t key);

}  // namespace taskd
