-- What a task takes of the machine while it runs: slots and named resources, as flow/needs.h writes
-- them; '' is one slot and nothing else. Tasks with the same needs form one line within their queue.

ALTER TABLE tasks ADD COLUMN needs TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN granted TEXT NOT NULL DEFAULT '';  -- which units of indexed ones

DROP INDEX tasks_ready;
CREATE INDEX tasks_ready ON tasks (queue, needs, priority DESC, id) WHERE state = 'queued';
CREATE INDEX tasks_running_needs ON tasks (id) WHERE state = 'running' AND needs <> '';
