-- What a task waits for: other tasks' ends. A row is settled in the transaction of the end it waits
-- for, or soon after it, where very many wait for one.

CREATE TABLE dependencies (
  task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  on_task INTEGER NOT NULL,  -- may be removed by now
  on_end  TEXT    NOT NULL CHECK (on_end IN ('ok', 'any', 'failed')),
  state   TEXT    NOT NULL CHECK (state IN ('pending', 'met', 'broken')),
  PRIMARY KEY (task_id, on_task)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependencies_pending ON dependencies (on_task, task_id) WHERE state = 'pending';
CREATE INDEX dependencies_broken  ON dependencies (on_task, task_id) WHERE state = 'broken';

-- Tasks that ended, or are tried again, whose dependants have not all been told.
CREATE TABLE dependants_to_tell (
  on_task INTEGER PRIMARY KEY
) STRICT;
