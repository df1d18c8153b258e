-- What running jobs tell of themselves: how far they are, and what came of it. Apart from tasks, so
-- that those that tell nothing cost nothing. Both are the latest attempt's.

CREATE TABLE task_progress (
  task_id INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL CHECK (attempt > 0),
  percent INTEGER CHECK (percent BETWEEN 0 AND 100),  -- NULL: not told
  message TEXT    NOT NULL,
  at_ms   INTEGER NOT NULL
) STRICT;

CREATE TABLE task_results (
  task_id INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL CHECK (attempt > 0),
  at_ms   INTEGER NOT NULL,
  result  TEXT    NOT NULL  -- JSON
) STRICT;
