-- What every change of a task pays for, made cheaper. An index costs even the tasks that do not
-- meet its condition, so one serves all states, and one all states in which a task counts for its
-- key; the id stands at the end of every entry as it is. A CHECK with IN and more than two words
-- builds a table of the words each time it is looked at, so the hot tables compare one by one.

CREATE TABLE tasks_rebuilt (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uid        INTEGER NOT NULL,  -- who submitted it
  queue      TEXT    NOT NULL REFERENCES queues (name),
  name       TEXT    NOT NULL,
  priority   INTEGER NOT NULL,
  state      TEXT    NOT NULL CHECK (
    state = 'queued' OR state = 'running' OR state = 'succeeded' OR state = 'failed' OR
    state = 'cancelled' OR state = 'scheduled' OR state = 'blocked' OR state = 'held'),
  reason     TEXT    CHECK (
    reason = 'exit' OR reason = 'signal' OR reason = 'timeout' OR reason = 'oom' OR
    reason = 'spawn' OR reason = 'lost' OR reason = 'poison' OR reason = 'dependency' OR
    reason = 'expired' OR reason = 'reported'),
  attempt    INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  tries      INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  lost       INTEGER NOT NULL DEFAULT 0 CHECK (lost >= 0),
  refusals   INTEGER NOT NULL DEFAULT 0 CHECK (refusals >= 0),
  token      TEXT,  -- fences every write about the live attempt
  created_at_ms          INTEGER NOT NULL,
  due_at_ms              INTEGER,
  started_at_ms          INTEGER,
  ended_at_ms            INTEGER,
  cancel_requested_at_ms INTEGER,
  prune_at_ms            INTEGER,
  needs       TEXT NOT NULL DEFAULT '',  -- as flow/needs.h writes them; '' is one slot
  blocked_on  TEXT CHECK (blocked_on = 'key' OR blocked_on = 'dependencies'),
  key_id      INTEGER REFERENCES keys (id),
  unique_key  TEXT,
  schedule_id INTEGER,  -- NULL: a person or a program submitted it
  array_id    INTEGER,
  array_index INTEGER,
  workflow_id INTEGER REFERENCES workflows (id),
  step        TEXT,
  CHECK ((step IS NULL) = (workflow_id IS NULL)),
  CHECK ((state = 'blocked') = (blocked_on IS NOT NULL)),
  CHECK ((state = 'running') = (token IS NOT NULL)),
  CHECK ((state = 'failed') = (reason IS NOT NULL)),
  CHECK ((state = 'succeeded' OR state = 'failed' OR state = 'cancelled') =
         (ended_at_ms IS NOT NULL)),
  CHECK ((ended_at_ms IS NULL) = (prune_at_ms IS NULL)),
  CHECK (state <> 'scheduled' OR due_at_ms IS NOT NULL),
  CHECK (state <> 'running' OR attempt > 0)
) STRICT;
INSERT INTO tasks_rebuilt (id, uid, queue, name, priority, state, reason, attempt, tries, lost,
  refusals, token, created_at_ms, due_at_ms, started_at_ms, ended_at_ms, cancel_requested_at_ms,
  prune_at_ms, needs, blocked_on, key_id, unique_key, schedule_id, array_id, array_index,
  workflow_id, step)
SELECT id, uid, queue, name, priority, state, reason, attempt, tries, lost,
  refusals, token, created_at_ms, due_at_ms, started_at_ms, ended_at_ms, cancel_requested_at_ms,
  prune_at_ms, needs, blocked_on, key_id, unique_key, schedule_id, array_id, array_index,
  workflow_id, step FROM tasks;
-- An id is never used again, though the task is long gone.
DELETE FROM sqlite_sequence WHERE name = 'tasks_rebuilt';
INSERT INTO sqlite_sequence (name, seq)
  SELECT 'tasks_rebuilt', seq FROM sqlite_sequence WHERE name = 'tasks';
DROP TABLE tasks;
ALTER TABLE tasks_rebuilt RENAME TO tasks;

CREATE INDEX tasks_in_state ON tasks (state);
-- Empty where no task needs more than a slot; each claim asks, however many tasks run.
CREATE INDEX tasks_running_needs ON tasks (id) WHERE state = 'running' AND needs <> '';
CREATE INDEX tasks_ready    ON tasks (queue, needs, priority DESC) WHERE state = 'queued';
CREATE INDEX tasks_due      ON tasks (due_at_ms)   WHERE state = 'scheduled';
CREATE INDEX tasks_ended    ON tasks (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX tasks_prunable ON tasks (prune_at_ms) WHERE prune_at_ms IS NOT NULL;
CREATE INDEX tasks_of_user  ON tasks (uid);
CREATE INDEX tasks_of_queue ON tasks (queue);
CREATE INDEX tasks_named    ON tasks (name) WHERE name <> '';
CREATE INDEX tasks_of_schedule ON tasks (schedule_id)
  WHERE schedule_id IS NOT NULL AND ended_at_ms IS NULL;
CREATE INDEX tasks_of_key ON tasks (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX tasks_active_of_key ON tasks (key_id, state, queue, priority DESC)
  WHERE key_id IS NOT NULL AND (state = 'running' OR state = 'queued' OR blocked_on = 'key');
CREATE INDEX tasks_unique ON tasks (uid, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX tasks_unique_active ON tasks (uid, unique_key)
  WHERE unique_key IS NOT NULL AND ended_at_ms IS NULL;
CREATE INDEX tasks_of_array    ON tasks (array_id)    WHERE array_id IS NOT NULL;
CREATE INDEX tasks_of_workflow ON tasks (workflow_id) WHERE workflow_id IS NOT NULL;

CREATE TABLE attempts_rebuilt (
  task_id       INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  number        INTEGER NOT NULL CHECK (number > 0),
  token         TEXT    NOT NULL,
  boot_id       TEXT    NOT NULL,
  granted       TEXT    NOT NULL DEFAULT '',  -- which units of indexed resources
  started_at_ms INTEGER NOT NULL,
  ended_at_ms   INTEGER,
  outcome       TEXT    CHECK (
    outcome = 'exited' OR outcome = 'signaled' OR outcome = 'timed_out' OR
    outcome = 'oom_killed' OR outcome = 'spawn_failed' OR outcome = 'lost' OR
    outcome = 'cancelled' OR outcome = 'reported'),
  code          INTEGER,  -- exit code, signal or errno, as the outcome says
  detail        TEXT,
  user_cpu_ms   INTEGER,
  system_cpu_ms INTEGER,
  max_rss_bytes INTEGER,
  stderr_tail   TEXT,
  PRIMARY KEY (task_id, number),
  CHECK ((outcome IS NULL) = (ended_at_ms IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO attempts_rebuilt (task_id, number, token, boot_id, granted, started_at_ms, ended_at_ms,
  outcome, code, detail, user_cpu_ms, system_cpu_ms, max_rss_bytes, stderr_tail)
SELECT task_id, number, token, boot_id, granted, started_at_ms, ended_at_ms,
  outcome, code, detail, user_cpu_ms, system_cpu_ms, max_rss_bytes, stderr_tail FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_rebuilt RENAME TO attempts;
CREATE UNIQUE INDEX attempts_live ON attempts (task_id) WHERE ended_at_ms IS NULL;
