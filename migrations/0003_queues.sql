-- Queues with limits: how many run at once, how fast they start, their share of the workers; and
-- what people did to them. What a limit holds back is not looked at: a claim asks the queues that
-- have room for their first task.

ALTER TABLE queues ADD COLUMN concurrency INTEGER CHECK (concurrency > 0);  -- NULL: no limit
ALTER TABLE queues ADD COLUMN weight INTEGER NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000);
ALTER TABLE queues ADD COLUMN rate_count  INTEGER CHECK (rate_count > 0);  -- NULL: no limit
ALTER TABLE queues ADD COLUMN rate_per_ms INTEGER CHECK (rate_per_ms > 0);
-- When the bucket of starts is full again, so that a restart gives nobody a second burst.
ALTER TABLE queues ADD COLUMN rate_full_at_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN paused_at_ms INTEGER;  -- NULL: not paused
ALTER TABLE queues ADD COLUMN paused_by    INTEGER;
ALTER TABLE queues ADD COLUMN paused_why   TEXT NOT NULL DEFAULT '';
ALTER TABLE queues ADD COLUMN draining INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1));

DROP INDEX tasks_ready;
CREATE INDEX tasks_ready ON tasks (queue, priority DESC, id) WHERE state = 'queued';
