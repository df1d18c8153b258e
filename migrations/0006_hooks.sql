-- Telling people: which hooks a queue's tasks are told to, and what is still to be told or was.

ALTER TABLE queues ADD COLUMN notify TEXT NOT NULL DEFAULT '';  -- entries, with blanks between

-- Written with the change that is told of. A row outlives its task while it is pending.
CREATE TABLE deliveries (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  delivery_id TEXT    NOT NULL,  -- told to the hook, the same at each try
  task_id     INTEGER NOT NULL,
  hook        TEXT    NOT NULL,
  event       TEXT    NOT NULL CHECK (event IN ('submitted', 'started', 'retrying', 'lost',
                                                'succeeded', 'failed', 'cancelled')),
  at_ms       INTEGER NOT NULL,  -- of the change
  task        TEXT,              -- the task as it was then, in JSON; NULL once nobody needs it
  state       TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  tries       INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  tried_at_ms INTEGER,
  next_at_ms  INTEGER,  -- NULL while pending: an earlier one to this hook about this task is first
  done_at_ms  INTEGER,
  error       TEXT    NOT NULL DEFAULT '',  -- of the latest try
  CHECK ((state = 'pending') = (done_at_ms IS NULL)),
  CHECK ((state = 'pending') = (task IS NOT NULL)),
  CHECK (state = 'pending' OR next_at_ms IS NULL)
) STRICT;

CREATE INDEX deliveries_due     ON deliveries (hook, next_at_ms, seq)  WHERE next_at_ms IS NOT NULL;
CREATE INDEX deliveries_pending ON deliveries (hook, task_id, seq)     WHERE state = 'pending';
CREATE INDEX deliveries_age     ON deliveries (hook, at_ms, seq)       WHERE state = 'pending';
CREATE INDEX deliveries_failed  ON deliveries (hook)                   WHERE state = 'failed';
CREATE INDEX deliveries_error   ON deliveries (hook, tried_at_ms, seq) WHERE error <> '';
CREATE INDEX deliveries_of_task ON deliveries (task_id, seq);
CREATE INDEX deliveries_done    ON deliveries (done_at_ms)             WHERE done_at_ms IS NOT NULL;
