-- Arrays: tasks that differ in an index alone. Of a large one the tasks are made bit by bit; their
-- ids are set aside with the first, so they follow each other.

ALTER TABLE tasks ADD COLUMN array_id INTEGER;  -- id of the array's first task
ALTER TABLE tasks ADD COLUMN array_index INTEGER;
CREATE INDEX tasks_of_array ON tasks (array_id, id) WHERE array_id IS NOT NULL;

CREATE TABLE arrays_to_expand (
  array_id  INTEGER PRIMARY KEY,
  uid       INTEGER NOT NULL,
  next      INTEGER NOT NULL CHECK (next > 0),  -- of its tasks, counted from 0
  task      TEXT    NOT NULL,                   -- as it was submitted
  due_at_ms INTEGER
) STRICT;
