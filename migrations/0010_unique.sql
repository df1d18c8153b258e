-- Tasks that are not to be there twice.

ALTER TABLE tasks ADD COLUMN unique_key TEXT;
CREATE INDEX tasks_unique ON tasks (uid, unique_key, id) WHERE unique_key IS NOT NULL;
CREATE INDEX tasks_unique_active ON tasks (uid, unique_key, id)
  WHERE unique_key IS NOT NULL AND ended_at_ms IS NULL;

-- The ids of a submit some of whose tasks were there already; NULL: they follow each other.
ALTER TABLE idempotency_keys ADD COLUMN task_ids TEXT;
