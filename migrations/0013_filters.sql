-- Filters find their tasks without a look at all the others.

CREATE INDEX tasks_of_queue ON tasks (queue, id);
CREATE INDEX tasks_named ON tasks (name, id) WHERE name <> '';
CREATE INDEX tasks_ended ON tasks (ended_at_ms) WHERE ended_at_ms IS NOT NULL;

-- The later a task was submitted, the higher its id, but for the times at which the clock was put
-- back: with each of these tasks the order begins anew. Between them a time is found by halving, so
-- that no submit has to keep an index of times.
CREATE TABLE clock_steps (
  task_id INTEGER PRIMARY KEY
) STRICT;
INSERT INTO clock_steps (task_id)
  SELECT id
  FROM (SELECT id, created_at_ms < lag(created_at_ms) OVER (ORDER BY id) AS is_step FROM tasks)
  WHERE is_step;

-- Of all tasks of an array, whenever they are made.
ALTER TABLE arrays_to_expand ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
UPDATE arrays_to_expand SET created_at_ms =
  coalesce((SELECT created_at_ms FROM tasks WHERE id = arrays_to_expand.array_id), 0);
