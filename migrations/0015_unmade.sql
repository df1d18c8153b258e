-- How many tasks of an array are not made yet counts where its queue's capacity is asked for.

ALTER TABLE arrays_to_expand ADD COLUMN queue TEXT NOT NULL DEFAULT '';
ALTER TABLE arrays_to_expand ADD COLUMN count INTEGER NOT NULL DEFAULT 0;  -- of all its tasks
UPDATE arrays_to_expand SET
  queue = coalesce(task ->> '$.queue', 'default'),
  count = (task ->> '$.array.last' - task ->> '$.array.first')
          / coalesce(task ->> '$.array.step', 1) + 1;
CREATE INDEX arrays_of_queue ON arrays_to_expand (queue, count, next);
