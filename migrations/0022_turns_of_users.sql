-- Users take turns at a hook, so what waits for it is found by whose it is.
ALTER TABLE deliveries ADD COLUMN uid INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET uid =
  coalesce((SELECT uid FROM tasks WHERE id = deliveries.task_id), json_extract(task, '$.uid'), 0)
  WHERE state = 'pending';

DROP INDEX deliveries_due;
DROP INDEX deliveries_age;
CREATE INDEX deliveries_due ON deliveries (hook, uid, next_at_ms, seq) WHERE next_at_ms IS NOT NULL;
CREATE INDEX deliveries_age ON deliveries (hook, uid, at_ms, seq)      WHERE state = 'pending';

-- Any change that is asked for may have a key, not only a submit: it has no tasks, or one that it
-- was about, and what else it was answered with stands in `answer`.
CREATE TABLE request_keys (
  uid           INTEGER NOT NULL,
  key           TEXT    NOT NULL,
  body_digest   TEXT    NOT NULL,  -- of what was asked for: where, and the body by its meaning
  first_task_id INTEGER,
  task_count    INTEGER CHECK (task_count > 0),
  created_at_ms INTEGER NOT NULL,
  task_ids      TEXT,
  workflow_id   INTEGER,
  answer        TEXT,
  finished      INTEGER NOT NULL DEFAULT 1 CHECK (finished IN (0, 1)),  -- 0: more commits were to follow
  PRIMARY KEY (uid, key)
) STRICT, WITHOUT ROWID;
INSERT INTO request_keys (uid, key, body_digest, first_task_id, task_count, created_at_ms, task_ids, workflow_id)
  SELECT uid, key, body_digest, first_task_id, task_count, created_at_ms, task_ids, workflow_id
  FROM idempotency_keys;
DROP TABLE idempotency_keys;
ALTER TABLE request_keys RENAME TO idempotency_keys;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at_ms);
