-- A rate holds in any stretch of its interval, so the starts of the last interval are kept, as
-- flow/recent_starts.h writes them; and a rate may say how many start together.
ALTER TABLE queues ADD COLUMN rate_burst INTEGER CHECK (rate_burst > 0);
ALTER TABLE queues ADD COLUMN rate_starts TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN rate_burst INTEGER CHECK (rate_burst > 0);
ALTER TABLE keys ADD COLUMN rate_starts TEXT NOT NULL DEFAULT '';
