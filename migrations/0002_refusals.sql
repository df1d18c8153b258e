-- How often in a row the machine could not start the task: its next start waits the longer.

ALTER TABLE tasks ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0 CHECK (refusals >= 0);
