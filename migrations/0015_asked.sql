-- What is asked again and again is written down or indexed: how many tasks of an array are not made
-- yet, for its queue's capacity; which workflow was submitted under a key, since its first step may
-- be removed before it; who holds a task; which keys have a name.

ALTER TABLE arrays_to_expand ADD COLUMN queue TEXT NOT NULL DEFAULT '';
ALTER TABLE arrays_to_expand ADD COLUMN count INTEGER NOT NULL DEFAULT 0;  -- of all its tasks
UPDATE arrays_to_expand SET
  queue = coalesce(task ->> '$.queue', 'default'),
  count = (task ->> '$.array.last' - task ->> '$.array.first')
          / coalesce(task ->> '$.array.step', 1) + 1;
CREATE INDEX arrays_of_queue ON arrays_to_expand (queue, count, next);

ALTER TABLE idempotency_keys ADD COLUMN workflow_id INTEGER;
UPDATE idempotency_keys SET workflow_id =
  (SELECT workflow_id FROM tasks WHERE id = idempotency_keys.first_task_id);

CREATE INDEX events_held ON events (task_id, seq) WHERE to_state = 'held';
CREATE INDEX keys_named  ON keys (name);
