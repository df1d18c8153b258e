-- Which store this is, and how often its history was taken back to an earlier moment. Epoch 0: no
-- start has marked its folder yet (daemon/store/db/identity.h).
ALTER TABLE daemon ADD COLUMN store_id TEXT NOT NULL DEFAULT '';
ALTER TABLE daemon ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
UPDATE daemon SET store_id = lower(hex(randomblob(16)));
