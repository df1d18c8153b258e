-- Who the owners of rows are, schedules whose names belong to their owners, and tokens from which
-- nobody can find an attempt's secret.

CREATE TABLE users (
  uid      INTEGER PRIMARY KEY,  -- as `uid` of tasks, schedules, workflows, arrays and keys
  name     TEXT    NOT NULL,     -- '' = it was in no user database
  was_uid  INTEGER,              -- of an owner of rows that were set aside: whose uid it was
  moves_to INTEGER               -- the owner that this uid's rows are being given to
) STRICT;

CREATE TABLE schedules_rebuilt (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  uid           INTEGER NOT NULL,  -- whose tasks they are
  name          TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
  cron          TEXT    NOT NULL,  -- '' with every_ms
  zone          TEXT    NOT NULL,  -- '' with every_ms
  every_ms      INTEGER NOT NULL CHECK (every_ms >= 0),  -- counted from created_at_ms; 0 with cron
  catch_up      TEXT    NOT NULL CHECK (catch_up IN ('one', 'all', 'none')),
  overlap       TEXT    NOT NULL CHECK (overlap IN ('skip', 'queue', 'replace')),
  queue         TEXT    NOT NULL,
  priority      INTEGER NOT NULL,
  task_name     TEXT    NOT NULL,
  spec          TEXT    NOT NULL,  -- as in task_specs
  created_at_ms INTEGER NOT NULL,
  done_until_ms INTEGER NOT NULL,  -- every slot up to here has been dealt with
  next_at_ms    INTEGER,           -- NULL: paused, or it never fires again
  paused_at_ms  INTEGER,
  paused_by     INTEGER,
  paused_why    TEXT    NOT NULL DEFAULT '',
  UNIQUE (uid, name),
  CHECK ((cron = '') = (every_ms > 0))
) STRICT;
INSERT INTO schedules_rebuilt (id, uid, name, cron, zone, every_ms, catch_up, overlap, queue,
  priority, task_name, spec, created_at_ms, done_until_ms, next_at_ms, paused_at_ms, paused_by,
  paused_why)
SELECT id, uid, name, cron, zone, every_ms, catch_up, overlap, queue, priority, task_name, spec,
  created_at_ms, done_until_ms, next_at_ms, paused_at_ms, paused_by, paused_why FROM schedules;
-- An id is never used again, though the schedule is long gone.
DELETE FROM sqlite_sequence WHERE name = 'schedules_rebuilt';
INSERT INTO sqlite_sequence (name, seq)
  SELECT 'schedules_rebuilt', seq FROM sqlite_sequence WHERE name = 'schedules';
DROP TABLE schedules;
ALTER TABLE schedules_rebuilt RENAME TO schedules;
CREATE INDEX schedules_next ON schedules (next_at_ms) WHERE next_at_ms IS NOT NULL;

-- token_of() is the daemon's (base/digest.h). Nobody asks for the token of an attempt that is over.
UPDATE tasks SET token = token_of(token) WHERE token IS NOT NULL;
UPDATE attempts SET token = CASE WHEN ended_at_ms IS NULL THEN token_of(token) ELSE '' END;
