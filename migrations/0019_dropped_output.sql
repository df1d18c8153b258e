-- How much of an attempt's output is not kept, since it went over the cap or found no room.
ALTER TABLE attempts ADD COLUMN stdout_dropped_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN stderr_dropped_bytes INTEGER NOT NULL DEFAULT 0;
