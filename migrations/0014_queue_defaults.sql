-- What a submit into a queue takes where it does not say otherwise.

ALTER TABLE queues ADD COLUMN defaults TEXT NOT NULL DEFAULT '{}';  -- fields of a task, in JSON
