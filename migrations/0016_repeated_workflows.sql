-- What a workflow was submitted under names the workflow: its first step may be removed before it.

ALTER TABLE idempotency_keys ADD COLUMN workflow_id INTEGER;
UPDATE idempotency_keys SET workflow_id =
  (SELECT workflow_id FROM tasks WHERE id = idempotency_keys.first_task_id);
