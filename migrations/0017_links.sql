-- Links say what they mean in full, so that nobody has to ask a task that may be gone: a link that
-- cannot be met has failed, or the dependant is not needed. What decides about a dependant stands
-- in columns, and dependencies stand here alone, not in the spec too. A spec that is damaged fails
-- its task when that is claimed, not the migration.

CREATE TABLE dependencies_rebuilt (
  task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  on_task INTEGER NOT NULL,  -- may be removed by now
  on_end  TEXT    NOT NULL CHECK (on_end = 'ok' OR on_end = 'any' OR on_end = 'failed'),
  state   TEXT    NOT NULL CHECK (  -- as flow/links.h judged it last
    state = 'pending' OR state = 'met' OR state = 'failed' OR state = 'skipped'),
  place   INTEGER NOT NULL,  -- in the order in which they were named
  PRIMARY KEY (task_id, on_task)
) STRICT, WITHOUT ROWID;
INSERT INTO dependencies_rebuilt (task_id, on_task, on_end, state, place)
SELECT link.task_id, link.on_task, link.on_end,
  CASE
    WHEN link.state <> 'broken' THEN link.state
    WHEN link.on_end = 'failed' THEN 'skipped'
    WHEN upstream.state = 'cancelled' AND EXISTS (
      SELECT 1 FROM dependencies WHERE task_id = upstream.id AND state = 'broken') THEN 'skipped'
    ELSE 'failed'
  END,
  0
FROM dependencies link LEFT JOIN tasks upstream ON upstream.id = link.on_task;
UPDATE dependencies_rebuilt SET place = named.place
  FROM (SELECT spec.task_id AS task_id, one.value ->> '$.task' AS on_task, one.key AS place
        FROM task_specs spec, json_each(iif(json_valid(spec.spec), spec.spec, '{}'), '$.depends_on') one
        WHERE spec.task_id IN (SELECT task_id FROM dependencies)) named
  WHERE dependencies_rebuilt.task_id = named.task_id AND dependencies_rebuilt.on_task = named.on_task;
UPDATE task_specs SET spec = json_remove(spec, '$.depends_on')
  WHERE json_valid(spec) AND task_id IN (SELECT task_id FROM dependencies);
DROP TABLE dependencies;
ALTER TABLE dependencies_rebuilt RENAME TO dependencies;
CREATE INDEX dependencies_open    ON dependencies (task_id, state) WHERE state <> 'met';
CREATE INDEX dependencies_open_on ON dependencies (on_task)        WHERE state <> 'met';

-- Tasks that ended, or are tried again, whose dependants behind one of them are still to be looked
-- at.
CREATE TABLE links_to_update (
  on_task    INTEGER PRIMARY KEY,
  after_task INTEGER NOT NULL
) STRICT;
INSERT INTO links_to_update (on_task, after_task) SELECT on_task, 0 FROM dependants_to_tell;
DROP TABLE dependants_to_tell;

ALTER TABLE tasks ADD COLUMN on_dependency_failed TEXT  -- NULL: it fails
  CHECK (on_dependency_failed = 'cancel' OR on_dependency_failed = 'run');
UPDATE tasks SET on_dependency_failed =
    (SELECT nullif(spec ->> '$.on_dependency_failed', 'fail') FROM task_specs WHERE task_id = tasks.id)
  WHERE id IN (SELECT task_id FROM task_specs WHERE instr(spec, '"on_dependency_failed"') > 0 AND json_valid(spec));
