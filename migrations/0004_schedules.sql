-- Schedules: rules that submit a task at each of their slots.

CREATE TABLE schedules (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  name          TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  uid           INTEGER NOT NULL,  -- whose tasks they are
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
  CHECK ((cron = '') = (every_ms > 0))
) STRICT;
CREATE INDEX schedules_next ON schedules (next_at_ms) WHERE next_at_ms IS NOT NULL;

-- A slot fires at most once ever, whatever the clock does.
CREATE TABLE schedule_slots (
  schedule_id INTEGER NOT NULL,  -- may be removed by now; its id is never used again
  slot_at_ms  INTEGER NOT NULL,
  at_ms       INTEGER NOT NULL,
  result      TEXT    NOT NULL CHECK (result IN ('fired', 'overlap', 'refused')),
  task_id     INTEGER,  -- of what it fired; may be pruned by now
  PRIMARY KEY (schedule_id, slot_at_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX schedule_slots_age ON schedule_slots (at_ms);

ALTER TABLE tasks ADD COLUMN schedule_id INTEGER;  -- NULL: a person or a program submitted it
-- What of a schedule has not ended.
CREATE INDEX tasks_of_schedule ON tasks (schedule_id)
  WHERE schedule_id IS NOT NULL AND ended_at_ms IS NULL;
