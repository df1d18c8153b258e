-- What the writer decides by lies in columns, since a spec may be a megabyte and a transaction reads
-- none: who runs a task, how often it is tried, how long it is kept, who is told. The members of
-- the spec that say so, where they are not as by default.

ALTER TABLE tasks ADD COLUMN policy TEXT NOT NULL DEFAULT '';
UPDATE tasks SET policy = found.policy FROM (
  SELECT id AS task_id, json_patch('{}', json_object(
    'max_attempts', spec -> '$.max_attempts',
    'backoff', spec -> '$.backoff',
    'retry_on', spec -> '$.retry_on',
    'no_retry_on', spec -> '$.no_retry_on',
    'on_lost', spec -> '$.on_lost',
    'on_bad_result', spec -> '$.on_bad_result',
    'max_lost', spec -> '$.max_lost',
    'keep_ms', spec -> '$.keep_ms',
    'notify', spec -> '$.notify',
    'unique', spec -> '$.unique')) AS policy
  FROM (SELECT task.id, coalesce(own.spec, shared.spec) AS spec FROM tasks task
        LEFT JOIN task_specs own ON own.task_id = task.id
        LEFT JOIN array_specs shared ON shared.array_id = task.array_id)
  WHERE json_valid(spec)) AS found
WHERE found.task_id = tasks.id AND found.policy <> '{}';

-- `task` holds the spec too, as an earlier version wrote it.
ALTER TABLE deliveries ADD COLUMN has_spec INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET has_spec = 1 WHERE state = 'pending';

-- The spec that a task had up to this delivery of it, once it has another one or is removed; as long
-- as such a delivery is pending.
CREATE TABLE told_specs (
  task_id  INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  spec     TEXT    NOT NULL
) STRICT;
CREATE INDEX told_specs_of_task ON told_specs (task_id, last_seq);

-- Lists of one user's, in the order of ids.
CREATE INDEX schedules_of_user ON schedules (uid);
CREATE INDEX keys_of_user ON keys (uid);
