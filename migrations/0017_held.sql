-- Who holds a task is asked of its events.

CREATE INDEX events_held ON events (task_id, seq) WHERE to_state = 'held';
