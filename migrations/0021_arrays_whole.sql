-- An array has a row of its own from its submit until its last task is removed, and its tasks share
-- one spec. The rows of the tasks are made in several commits; the array is acknowledged after the
-- last of them.

CREATE TABLE arrays (
  id          INTEGER PRIMARY KEY,  -- that of its first task
  uid         INTEGER NOT NULL,
  queue       TEXT    NOT NULL,     -- where its tasks are made
  first_index INTEGER NOT NULL,
  step        INTEGER NOT NULL CHECK (step > 0),
  count       INTEGER NOT NULL CHECK (count > 0),  -- of all its tasks
  made        INTEGER NOT NULL CHECK (made >= 0 AND made <= count),
  ended       INTEGER NOT NULL DEFAULT 0,  -- of its tasks, also of those that were removed since
  succeeded   INTEGER NOT NULL DEFAULT 0,
  failed      INTEGER NOT NULL DEFAULT 0,
  due_at_ms     INTEGER,
  created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX arrays_unfinished ON arrays (queue, count, made) WHERE made < count;

CREATE TABLE array_specs (
  array_id INTEGER PRIMARY KEY REFERENCES arrays (id) ON DELETE CASCADE,
  spec     TEXT,  -- of its tasks that have none in task_specs; NULL: all have
  task     TEXT   -- as it was submitted, while tasks are still to be made
) STRICT;

-- What arrays depend on of which tasks are still to be made: it is not removed before that.
CREATE TABLE array_needs (
  on_task  INTEGER NOT NULL,
  array_id INTEGER NOT NULL,
  PRIMARY KEY (on_task, array_id)
) STRICT, WITHOUT ROWID;

-- Those of before, the unfinished first. What was removed is taken for a success: nobody asks.
INSERT INTO arrays (id, uid, queue, first_index, step, count, made, ended, succeeded, failed,
  due_at_ms, created_at_ms)
SELECT a.array_id, a.uid, a.queue, a.task ->> '$.array.first',
  coalesce(a.task ->> '$.array.step', 1), a.count, a.next,
  a.next - count(t.id) FILTER (WHERE t.ended_at_ms IS NULL),
  a.next - count(t.id) FILTER (WHERE t.state <> 'succeeded'),
  count(t.id) FILTER (WHERE t.state = 'failed'), a.due_at_ms, a.created_at_ms
FROM arrays_to_expand a LEFT JOIN tasks t ON t.array_id = a.array_id
GROUP BY a.array_id;
INSERT INTO array_specs (array_id, task) SELECT array_id, task FROM arrays_to_expand;
INSERT OR IGNORE INTO array_needs (on_task, array_id)
SELECT need.value ->> '$.task', a.array_id
FROM arrays_to_expand a, json_each(a.task, '$.depends_on') need;
DROP TABLE arrays_to_expand;

INSERT INTO arrays (id, uid, queue, first_index, step, count, made, ended, succeeded, failed,
  created_at_ms)
SELECT array_id, uid, queue, lowest_index - (lowest_id - array_id) * step, step, count, count,
  count - still_open, count - not_succeeded, failed, created_at_ms
FROM (
  SELECT array_id, min(uid) AS uid, min(queue) AS queue, min(id) AS lowest_id,
    min(array_index) AS lowest_index, max(id) - array_id + 1 AS count,
    CASE WHEN max(id) > min(id)
      THEN (max(array_index) - min(array_index)) / (max(id) - min(id)) ELSE 1 END AS step,
    count(*) FILTER (WHERE ended_at_ms IS NULL) AS still_open,
    count(*) FILTER (WHERE state <> 'succeeded') AS not_succeeded,
    count(*) FILTER (WHERE state = 'failed') AS failed, min(created_at_ms) AS created_at_ms
  FROM tasks INDEXED BY tasks_of_array
  WHERE array_id IS NOT NULL AND array_id NOT IN (SELECT id FROM arrays)
  GROUP BY array_id);
