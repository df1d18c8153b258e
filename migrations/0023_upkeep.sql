-- What both clocks showed when the wall clock was last believed (base/trusted_clock.h), and in
-- which boot that was; a jump of the wall clock is not forgotten over a restart.
ALTER TABLE daemon ADD COLUMN clock_boot_id TEXT NOT NULL DEFAULT '';
ALTER TABLE daemon ADD COLUMN clock_wall_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE daemon ADD COLUMN clock_boot_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE daemon ADD COLUMN clock_ahead_since_ms INTEGER;
