-- Workflows: tasks that were submitted together and depend on each other by name.

CREATE TABLE workflows (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  uid           INTEGER NOT NULL,
  name          TEXT    NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX workflows_of_user ON workflows (uid, id);

ALTER TABLE tasks ADD COLUMN workflow_id INTEGER REFERENCES workflows (id);
ALTER TABLE tasks ADD COLUMN step TEXT CHECK ((step IS NULL) = (workflow_id IS NULL));
CREATE INDEX tasks_of_workflow ON tasks (workflow_id, id) WHERE workflow_id IS NOT NULL;
