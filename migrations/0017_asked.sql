-- What is asked of the events and keys without looking at all of them: who holds a task, and which
-- keys have a name.

CREATE INDEX events_held ON events (task_id, seq) WHERE to_state = 'held';
CREATE INDEX keys_named  ON keys (name);
