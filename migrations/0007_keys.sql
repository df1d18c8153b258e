-- Keys: tasks of one user that share a name share its limits. What a key holds back is `blocked`,
-- out of the claim order.

CREATE TABLE keys (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  uid             INTEGER NOT NULL,
  name            TEXT    NOT NULL CHECK (length(name) > 0),
  concurrency     INTEGER CHECK (concurrency > 0),  -- NULL: no limit
  rate_count      INTEGER CHECK (rate_count > 0),   -- NULL: no limit
  rate_per_ms     INTEGER CHECK (rate_per_ms > 0),
  rate_full_at_ns INTEGER NOT NULL DEFAULT 0,       -- as of a queue
  wake_at_ms      INTEGER,                          -- when time alone lets one more start
  UNIQUE (uid, name)
) STRICT;
CREATE INDEX keys_wake ON keys (wake_at_ms) WHERE wake_at_ms IS NOT NULL;

ALTER TABLE tasks ADD COLUMN key_id INTEGER REFERENCES keys (id);
ALTER TABLE tasks ADD COLUMN blocked_on TEXT
  CHECK (blocked_on IN ('key', 'dependencies') AND (state = 'blocked') = (blocked_on IS NOT NULL));

CREATE INDEX tasks_of_key         ON tasks (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX tasks_of_key_running ON tasks (key_id) WHERE key_id IS NOT NULL AND state = 'running';
CREATE INDEX tasks_of_key_queued  ON tasks (key_id, queue, priority DESC, id)
  WHERE key_id IS NOT NULL AND state = 'queued';
CREATE INDEX tasks_of_key_blocked ON tasks (key_id, queue, priority DESC, id)
  WHERE blocked_on = 'key';
