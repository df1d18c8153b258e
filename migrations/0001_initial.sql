-- Tasks, their attempts, and the record of everything that happened to them.
-- Times are integer milliseconds since 1970-01-01 UTC. States and reasons are the words of
-- daemon/DESIGN.md; which may follow which is decided in daemon/task/lifecycle.cc, not here.

CREATE TABLE queues (
  name     TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
  capacity INTEGER NOT NULL CHECK (capacity >= 0)  -- waiting tasks it takes
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uid        INTEGER NOT NULL,  -- who submitted it
  queue      TEXT    NOT NULL REFERENCES queues (name),
  name       TEXT    NOT NULL,
  priority   INTEGER NOT NULL,
  state      TEXT    NOT NULL CHECK (state IN ('scheduled', 'blocked', 'held', 'queued', 'running',
                                               'succeeded', 'failed', 'cancelled')),
  reason     TEXT    CHECK (reason IN ('exit', 'signal', 'timeout', 'oom', 'spawn', 'lost',
                                       'poison', 'dependency', 'expired', 'reported')),
  attempt    INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  tries      INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  lost       INTEGER NOT NULL DEFAULT 0 CHECK (lost >= 0),
  token      TEXT,  -- fences every write about the live attempt
  created_at_ms          INTEGER NOT NULL,
  due_at_ms              INTEGER,
  started_at_ms          INTEGER,
  ended_at_ms            INTEGER,
  cancel_requested_at_ms INTEGER,
  prune_at_ms            INTEGER,
  CHECK ((state = 'running') = (token IS NOT NULL)),
  CHECK ((state = 'failed') = (reason IS NOT NULL)),
  CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (ended_at_ms IS NOT NULL)),
  CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (prune_at_ms IS NOT NULL)),
  CHECK (state <> 'scheduled' OR due_at_ms IS NOT NULL),
  CHECK (state <> 'running' OR attempt > 0)
) STRICT;

-- The claim order. Only what may start now is in it, so a claim costs the same at any depth.
CREATE INDEX tasks_ready     ON tasks (priority DESC, id) WHERE state = 'queued';
CREATE INDEX tasks_due       ON tasks (due_at_ms)         WHERE state = 'scheduled';
CREATE INDEX tasks_prunable  ON tasks (prune_at_ms)       WHERE prune_at_ms IS NOT NULL;
-- Lists by state and by user, in the order of ids, whatever lies around them.
CREATE INDEX tasks_scheduled ON tasks (id) WHERE state = 'scheduled';
CREATE INDEX tasks_blocked   ON tasks (id) WHERE state = 'blocked';
CREATE INDEX tasks_held      ON tasks (id) WHERE state = 'held';
CREATE INDEX tasks_queued    ON tasks (id) WHERE state = 'queued';
CREATE INDEX tasks_running   ON tasks (id) WHERE state = 'running';
CREATE INDEX tasks_succeeded ON tasks (id) WHERE state = 'succeeded';
CREATE INDEX tasks_failed    ON tasks (id) WHERE state = 'failed';
CREATE INDEX tasks_cancelled ON tasks (id) WHERE state = 'cancelled';
CREATE INDEX tasks_of_user   ON tasks (uid, id);

-- What to run, apart from the hot row: a claim reads it once, a transition never rewrites it.
CREATE TABLE task_specs (
  task_id INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
  spec    TEXT NOT NULL
) STRICT;

CREATE TABLE task_labels (
  task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  key     TEXT NOT NULL,
  value   TEXT NOT NULL,
  PRIMARY KEY (task_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_labels_by_value ON task_labels (key, value, task_id);

CREATE TABLE attempts (
  task_id       INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  number        INTEGER NOT NULL CHECK (number > 0),
  token         TEXT    NOT NULL,
  boot_id       TEXT    NOT NULL,
  started_at_ms INTEGER NOT NULL,
  ended_at_ms   INTEGER,
  outcome       TEXT    CHECK (outcome IN ('exited', 'signaled', 'timed_out', 'oom_killed',
                                           'spawn_failed', 'lost', 'cancelled', 'reported')),
  code          INTEGER,  -- exit code, signal or errno, as the outcome says
  detail        TEXT,
  user_cpu_ms   INTEGER,
  system_cpu_ms INTEGER,
  max_rss_bytes INTEGER,
  stderr_tail   TEXT,
  PRIMARY KEY (task_id, number),
  CHECK ((outcome IS NULL) = (ended_at_ms IS NULL))
) STRICT, WITHOUT ROWID;
-- One live attempt per task, whatever the code above does.
CREATE UNIQUE INDEX attempts_live ON attempts (task_id) WHERE ended_at_ms IS NULL;

-- Exact counts, kept in the transaction of the change they count.
CREATE TABLE counters (
  queue TEXT NOT NULL REFERENCES queues (name) ON DELETE CASCADE,
  state TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 0),
  PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
  uid           INTEGER NOT NULL,
  key           TEXT    NOT NULL,
  body_digest   TEXT    NOT NULL,
  first_task_id INTEGER NOT NULL,
  task_count    INTEGER NOT NULL CHECK (task_count > 0),
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (uid, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at_ms);

-- One row for every transition, written with it. `generation` counts the daemon's starts.
CREATE TABLE events (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms      INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  task_id    INTEGER,  -- NULL: about the daemon itself
  attempt    INTEGER,
  type       TEXT NOT NULL,
  from_state TEXT,
  to_state   TEXT,
  actor_uid  INTEGER,  -- the person, where one asked
  detail     TEXT
) STRICT;

CREATE TABLE daemon (
  only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
  generation INTEGER NOT NULL
) STRICT;
INSERT INTO daemon (only_row, generation) VALUES (1, 0);
INSERT INTO queues (name, capacity) VALUES ('default', 100000);
