-- What a store holds. Read daemon/DESIGN.md, section "Words", first.
--
-- Every table is written by the store's writer thread, in one transaction with whatever else the
-- change means (daemon/store/write/). The comment of a table says what a row is and which files
-- write it; the comment of an index says which question it answers. An index of a table with rowids
-- ends with the id, so the id is not named in it.
--
-- `*_ms` is milliseconds, and `*_at_ms` a moment: milliseconds since 1970-01-01 UTC, by the wall
-- clock. NULL means "none" or "not yet" unless a comment says otherwise, and so does ''. States,
-- reasons, outcomes and the like are the words of the API (daemon/task/state.h, task.h). Which
-- state may follow which is decided in daemon/task/state_machine.cc, not here.
--
-- The tables that change most compare words one by one: a CHECK with IN and more than two words
-- builds a table of them each time.

-- --- The store ----------------------------------------------------------------------------------

-- The one row about the store itself. Each start of a daemon writes it (task_store.cc), but for the
-- clock, which daemon/base/trusted_clock.h keeps here over restarts (write/trusted_clock_state.cc).
CREATE TABLE store (
  only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
  id           TEXT    NOT NULL,            -- random, 32 hex digits; see store/db/identity.h
  epoch        INTEGER NOT NULL DEFAULT 0,  -- 0: never started; up when a backup is restored
  generation   INTEGER NOT NULL DEFAULT 0,  -- how often a daemon started
  spec_version INTEGER NOT NULL DEFAULT 0,  -- no stored spec has a higher one (task/spec_json.h)
  -- What both clocks showed when the wall clock was last believed, and in which boot.
  clock_boot_id TEXT    NOT NULL DEFAULT '',  -- '': never
  clock_wall_ms INTEGER NOT NULL DEFAULT 0,
  clock_boot_ms INTEGER NOT NULL DEFAULT 0,   -- since that boot
  clock_ahead_since_ms INTEGER                -- boot clock; NULL: the wall clock is not ahead
) STRICT;
INSERT INTO store (only_row, id) VALUES (1, lower(hex(randomblob(16))));

-- An owner of rows (tasks/users.cc). If a uid is given to another user, the rows of the former one
-- move to an owner with a uid above those of real users.
CREATE TABLE users (
  uid        INTEGER PRIMARY KEY,  -- as `uid` of tasks, schedules, workflows, arrays and keys
  name       TEXT    NOT NULL,     -- '': it was in no user database
  former_uid INTEGER,              -- of a former user: the uid that is another's by now
  new_uid    INTEGER               -- while the rows of this uid move: the owner they move to
) STRICT;

-- --- Queues, keys and workflows -----------------------------------------------------------------

-- A queue, its settings and its pause (limits/queues.cc). They are held in memory too
-- (limits/queue_table.h); a claim writes `rate_*`.
CREATE TABLE queues (
  name            TEXT    PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
  capacity        INTEGER NOT NULL CHECK (capacity >= 0),  -- waiting tasks it takes
  concurrency     INTEGER CHECK (concurrency > 0),         -- running tasks at most; NULL: no limit
  weight          INTEGER NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),  -- share of starts
  rate_count      INTEGER CHECK (rate_count > 0),   -- starts in any rate_per_ms; NULL: no limit
  rate_per_ms     INTEGER CHECK (rate_per_ms > 0),
  rate_burst      INTEGER CHECK (rate_burst > 0),   -- starts at once; NULL: rate_count
  rate_full_at_ns INTEGER NOT NULL DEFAULT 0,       -- when a burst may start, since 1970
  rate_starts     TEXT    NOT NULL DEFAULT '',      -- the latest (limits/recent_starts.h)
  paused_at_ms    INTEGER,                          -- NULL: not paused
  paused_by       INTEGER,                          -- uid
  paused_reason   TEXT    NOT NULL DEFAULT '',
  draining        INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),  -- 1: takes no tasks
  notify          TEXT    NOT NULL DEFAULT '',      -- hooks of all its tasks, with blanks between
  defaults        TEXT    NOT NULL DEFAULT '{}'     -- options of a submit, JSON
) STRICT, WITHOUT ROWID;
INSERT INTO queues (name, capacity) VALUES ('default', 100000);

-- How many tasks of the queue are in the state. Exact: changes with what it counts.
CREATE TABLE counters (
  queue TEXT    NOT NULL REFERENCES queues (name) ON DELETE CASCADE,
  state TEXT    NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 0),
  PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;

-- A key: tasks of one user that share a name share its limits. It is here as long as a task has it
-- (limits/keys.cc). An array with a limit of its own has one, under a name that nobody can submit.
CREATE TABLE keys (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  uid             INTEGER NOT NULL,
  name            TEXT    NOT NULL CHECK (length(name) > 0),
  concurrency     INTEGER CHECK (concurrency > 0),  -- this and the rate: as of a queue
  rate_count      INTEGER CHECK (rate_count > 0),
  rate_per_ms     INTEGER CHECK (rate_per_ms > 0),
  rate_burst      INTEGER CHECK (rate_burst > 0),
  rate_full_at_ns INTEGER NOT NULL DEFAULT 0,
  rate_starts     TEXT    NOT NULL DEFAULT '',
  wake_at_ms      INTEGER,                          -- when time alone lets one more task start
  UNIQUE (uid, name)
) STRICT;
-- Which keys does time let start more, and when is the next one due?
CREATE INDEX keys_wake ON keys (wake_at_ms) WHERE wake_at_ms IS NOT NULL;
-- Lists of keys and filters by key: of one name, and of one user.
CREATE INDEX keys_named   ON keys (name);
CREATE INDEX keys_of_user ON keys (uid);

-- A workflow: tasks that were submitted together as steps. It goes with its last task
-- (limits/workflows.cc).
CREATE TABLE workflows (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  uid           INTEGER NOT NULL,
  name          TEXT    NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;
-- The list of one user's workflows.
CREATE INDEX workflows_of_user ON workflows (uid, id);

-- --- Tasks --------------------------------------------------------------------------------------

-- A task: what the writer decides by. What it is to run is in task_specs or array_specs. Written by
-- write/transaction.cc alone, for all verbs.
CREATE TABLE tasks (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  state     TEXT    NOT NULL CHECK (
    state = 'queued' OR state = 'running' OR state = 'succeeded' OR state = 'failed' OR
    state = 'cancelled' OR state = 'scheduled' OR state = 'blocked' OR state = 'held'),
  queue     TEXT    NOT NULL REFERENCES queues (name),
  demand    TEXT    NOT NULL DEFAULT '',  -- slots and resources, as limits/demand.h; '': one slot
  priority  INTEGER NOT NULL,             -- higher first
  uid       INTEGER NOT NULL,             -- the owner
  -- The attempts.
  attempt   INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),  -- number of the latest; 0: none yet
  token     TEXT,                                             -- of the running one, see attempts
  tries     INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),    -- spent of max_attempts
  lost      INTEGER NOT NULL DEFAULT 0 CHECK (lost >= 0),     -- spent of max_lost
  -- How often in a row the machine could not start it: the next start waits the longer.
  start_failures INTEGER NOT NULL DEFAULT 0 CHECK (start_failures >= 0),
  reason    TEXT CHECK (  -- why it failed
    reason = 'exit' OR reason = 'signal' OR reason = 'timeout' OR reason = 'oom' OR
    reason = 'spawn' OR reason = 'lost' OR reason = 'poison' OR reason = 'dependency' OR
    reason = 'expired' OR reason = 'reported'),
  -- What keeps it from starting, and what its end means.
  due_at_ms  INTEGER,  -- does not start before; while `scheduled` the timer thread waits for it
  blocked_on TEXT CHECK (blocked_on = 'key' OR blocked_on = 'dependencies'),
  key_id     INTEGER REFERENCES keys (id),
  unique_key TEXT,  -- NULL: it may be there twice
  on_dependency_failed TEXT CHECK (  -- NULL: it fails
    on_dependency_failed = 'cancel' OR on_dependency_failed = 'run'),
  -- The spec's tries, back-off, keep time and hooks, written as a spec; '': the defaults.
  policy     TEXT NOT NULL DEFAULT '',
  created_at_ms          INTEGER NOT NULL,
  started_at_ms          INTEGER,  -- of the latest attempt
  ended_at_ms            INTEGER,
  cancel_requested_at_ms INTEGER,  -- it runs and is to be stopped
  prune_at_ms            INTEGER,  -- when the timer thread removes it
  -- What it belongs to.
  name        TEXT NOT NULL,  -- '': none
  schedule_id INTEGER,        -- that submitted it; it may have been removed since
  array_id    INTEGER,
  array_index INTEGER,
  workflow_id INTEGER REFERENCES workflows (id),
  step        TEXT,           -- its name in the workflow
  CHECK ((step IS NULL) = (workflow_id IS NULL)),
  CHECK ((state = 'blocked') = (blocked_on IS NOT NULL)),
  CHECK ((state = 'running') = (token IS NOT NULL)),
  CHECK ((state = 'failed') = (reason IS NOT NULL)),
  CHECK ((state = 'succeeded' OR state = 'failed' OR state = 'cancelled') =
         (ended_at_ms IS NOT NULL)),
  CHECK ((ended_at_ms IS NULL) = (prune_at_ms IS NULL)),
  CHECK (state <> 'scheduled' OR due_at_ms IS NOT NULL),
  CHECK (state <> 'running' OR attempt > 0)
) STRICT;
-- The order of claims: of each queue and demand the first task. Only what may start now is in it,
-- so a claim costs the same however many tasks wait for something else.
CREATE INDEX tasks_ready ON tasks (queue, demand, priority DESC) WHERE state = 'queued';
-- Which running tasks have more than one slot of the machine?
CREATE INDEX tasks_running_demand ON tasks (id) WHERE state = 'running' AND demand <> '';
-- What is due, and when is the next one?
CREATE INDEX tasks_due ON tasks (due_at_ms) WHERE state = 'scheduled';
-- What may be removed, and when is the next one?
CREATE INDEX tasks_prunable ON tasks (prune_at_ms) WHERE prune_at_ms IS NOT NULL;
-- What of a key runs or waits, in the order in which it starts?
CREATE INDEX tasks_active_of_key ON tasks (key_id, state, queue, priority DESC)
  WHERE key_id IS NOT NULL AND (state = 'running' OR state = 'queued' OR blocked_on = 'key');
-- What of a schedule has not ended (its overlap)?
CREATE INDEX tasks_of_schedule ON tasks (schedule_id)
  WHERE schedule_id IS NOT NULL AND ended_at_ms IS NULL;
-- Is a task with this unique key there, at all or not ended?
CREATE INDEX tasks_unique ON tasks (uid, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX tasks_unique_active ON tasks (uid, unique_key)
  WHERE unique_key IS NOT NULL AND ended_at_ms IS NULL;
-- Lists and filters, in the order of ids; a filter uses the one that leaves it the fewest tasks.
-- tasks_in_state also finds what runs at a start, and those of a key, an array and a workflow tell
-- whether it has tasks left.
CREATE INDEX tasks_in_state    ON tasks (state);
CREATE INDEX tasks_of_queue    ON tasks (queue);
CREATE INDEX tasks_of_user     ON tasks (uid);
CREATE INDEX tasks_named       ON tasks (name)        WHERE name <> '';
CREATE INDEX tasks_of_key      ON tasks (key_id)      WHERE key_id IS NOT NULL;
CREATE INDEX tasks_of_array    ON tasks (array_id)    WHERE array_id IS NOT NULL;
CREATE INDEX tasks_of_workflow ON tasks (workflow_id) WHERE workflow_id IS NOT NULL;
-- Filters by the time of the end.
CREATE INDEX tasks_ended ON tasks (ended_at_ms) WHERE ended_at_ms IS NOT NULL;

-- What the task is to run, apart from the row that changes: written by a submit and an edit. A task
-- of an array has one only once it was edited.
CREATE TABLE task_specs (
  task_id INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
  spec    TEXT    NOT NULL  -- JSON, see spec_to_stored() in daemon/task/spec_json.h
) STRICT;

-- A label of a task: a copy from the spec, for filters.
CREATE TABLE task_labels (
  task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  key     TEXT    NOT NULL,
  value   TEXT    NOT NULL,
  PRIMARY KEY (task_id, key)
) STRICT, WITHOUT ROWID;
-- Filters by label.
CREATE INDEX task_labels_by_value ON task_labels (key, value, task_id);

-- What the latest attempt reported of its progress, and its result (tasks/reports.cc). Apart from
-- tasks, so that jobs that report nothing cost nothing.
CREATE TABLE task_progress (
  task_id INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL CHECK (attempt > 0),
  percent INTEGER CHECK (percent BETWEEN 0 AND 100),
  message TEXT    NOT NULL,
  at_ms   INTEGER NOT NULL
) STRICT;
CREATE TABLE task_results (
  task_id INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL CHECK (attempt > 0),
  at_ms   INTEGER NOT NULL,
  result  TEXT    NOT NULL  -- JSON
) STRICT;

-- One execution of a task: written by its claim and by its end (tasks/claim_finish.cc).
CREATE TABLE attempts (
  task_id       INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  number        INTEGER NOT NULL CHECK (number > 0),
  token         TEXT    NOT NULL,             -- digest of its secret; fences all writes about it
  boot_id       TEXT    NOT NULL,             -- of the machine's boot in which it started
  granted       TEXT    NOT NULL DEFAULT '',  -- units of indexed resources, as limits/demand.h
  started_at_ms INTEGER NOT NULL,
  ended_at_ms   INTEGER,
  outcome       TEXT CHECK (
    outcome = 'exited' OR outcome = 'signaled' OR outcome = 'timed_out' OR
    outcome = 'oom_killed' OR outcome = 'spawn_failed' OR outcome = 'lost' OR
    outcome = 'cancelled' OR outcome = 'reported'),
  code          INTEGER,  -- exit code, signal or errno, as the outcome says
  detail        TEXT,
  user_cpu_ms   INTEGER,
  system_cpu_ms INTEGER,
  max_rss_bytes INTEGER,
  stdout_dropped_bytes INTEGER NOT NULL DEFAULT 0,  -- over the cap, or found no room
  stderr_dropped_bytes INTEGER NOT NULL DEFAULT 0,
  stderr_tail   TEXT,
  PRIMARY KEY (task_id, number),
  CHECK ((outcome IS NULL) = (ended_at_ms IS NULL))
) STRICT, WITHOUT ROWID;
-- One live attempt per task, whatever the code does.
CREATE UNIQUE INDEX attempts_live ON attempts (task_id) WHERE ended_at_ms IS NULL;

-- A task before which the wall clock was put back: from it on, the order by id is an order by
-- created_at_ms again. Filters by time find their ids by bisection between these
-- (read/id_range.cc).
CREATE TABLE clock_steps (
  task_id INTEGER PRIMARY KEY
) STRICT;

-- --- Arrays -------------------------------------------------------------------------------------

-- An array, from its submit until its last task is removed (limits/arrays.cc). Its tasks have the
-- ids from `id` to `id + count - 1`. The rows of a large one are made in several commits.
CREATE TABLE arrays (
  id            INTEGER PRIMARY KEY,  -- that of its first task
  uid           INTEGER NOT NULL,
  queue         TEXT    NOT NULL,     -- in which its tasks are made
  first_index   INTEGER NOT NULL,
  step          INTEGER NOT NULL CHECK (step > 0),  -- from one index to the next
  count         INTEGER NOT NULL CHECK (count > 0),
  made          INTEGER NOT NULL CHECK (made >= 0 AND made <= count),  -- of these
  ended         INTEGER NOT NULL DEFAULT 0,  -- tasks, also those that were removed since
  succeeded     INTEGER NOT NULL DEFAULT 0,
  failed        INTEGER NOT NULL DEFAULT 0,
  due_at_ms     INTEGER,
  created_at_ms INTEGER NOT NULL
) STRICT;
-- What is still to be made, and how much room will that take in a queue?
CREATE INDEX arrays_unfinished ON arrays (queue, count, made) WHERE made < count;

CREATE TABLE array_specs (
  array_id INTEGER PRIMARY KEY REFERENCES arrays (id) ON DELETE CASCADE,
  spec     TEXT NOT NULL,  -- of its tasks that have none in task_specs
  task     TEXT            -- the submit, JSON; NULL: all tasks are made
) STRICT;

-- A task that the unmade tasks of an array depend on. It is not removed before they are made.
CREATE TABLE array_dependencies (
  on_task  INTEGER NOT NULL,  -- as in dependencies
  array_id INTEGER NOT NULL,
  PRIMARY KEY (on_task, array_id)
) STRICT, WITHOUT ROWID;

-- --- Dependencies -------------------------------------------------------------------------------

-- A link: the task waits for the end of another. They are nowhere else (limits/dependencies.cc).
CREATE TABLE dependencies (
  task_id  INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  on_task  INTEGER NOT NULL,  -- -N: the whole array N. May have been removed since
  on_end   TEXT    NOT NULL CHECK (on_end = 'ok' OR on_end = 'any' OR on_end = 'failed'),
  state    TEXT    NOT NULL CHECK (  -- as limits/dependency_rules.h judged it last
    state = 'pending' OR state = 'met' OR state = 'failed' OR state = 'skipped'),
  position INTEGER NOT NULL,  -- in the order in which the submit named them
  PRIMARY KEY (task_id, on_task)
) STRICT, WITHOUT ROWID;
-- What does a task still wait for, or was it skipped?
CREATE INDEX dependencies_open    ON dependencies (task_id, state) WHERE state <> 'met';
-- Whom does an end concern?
CREATE INDEX dependencies_open_on ON dependencies (on_task) WHERE state <> 'met';

-- A task that ended, or is tried again, with more dependants than its commit updated. The
-- timer thread updates the others.
CREATE TABLE links_to_update (
  on_task    INTEGER PRIMARY KEY,  -- as in dependencies
  after_task INTEGER NOT NULL      -- the last dependant that is up to date; 0: none
) STRICT;

-- --- Schedules ----------------------------------------------------------------------------------

-- A schedule (schedules.cc).
CREATE TABLE schedules (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  uid           INTEGER NOT NULL,            -- whose tasks they are
  name          TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
  next_at_ms    INTEGER,                     -- NULL: paused, or it never fires again
  done_until_ms INTEGER NOT NULL,            -- all slots up to this moment have been dealt with
  cron          TEXT    NOT NULL,            -- '' with every_ms
  zone          TEXT    NOT NULL,            -- IANA name; '' with every_ms
  every_ms      INTEGER NOT NULL CHECK (every_ms >= 0),  -- counted from created_at_ms; 0 with cron
  catch_up      TEXT    NOT NULL CHECK (catch_up IN ('one', 'all', 'none')),
  overlap       TEXT    NOT NULL CHECK (overlap IN ('skip', 'queue', 'replace')),
  queue         TEXT    NOT NULL,            -- this and the next three: of the tasks
  priority      INTEGER NOT NULL,
  task_name     TEXT    NOT NULL,
  spec          TEXT    NOT NULL,            -- as in task_specs
  created_at_ms INTEGER NOT NULL,
  paused_at_ms  INTEGER,                     -- NULL: not paused
  paused_by     INTEGER,                     -- uid; 0 also for the daemon itself
  paused_reason TEXT    NOT NULL DEFAULT '',
  UNIQUE (uid, name),
  CHECK ((cron = '') = (every_ms > 0))
) STRICT;
-- Which schedules fire now, and when is the next one due?
CREATE INDEX schedules_next ON schedules (next_at_ms) WHERE next_at_ms IS NOT NULL;
-- The list of one user's schedules.
CREATE INDEX schedules_of_user ON schedules (uid);

-- A slot that was dealt with. It fires at most once, whatever the clock does.
CREATE TABLE schedule_slots (
  schedule_id      INTEGER NOT NULL,  -- may have been removed since; its id is never used again
  slot_at_ms       INTEGER NOT NULL,
  dealt_with_at_ms INTEGER NOT NULL,
  result           TEXT    NOT NULL CHECK (result IN ('fired', 'overlap', 'refused')),
  task_id          INTEGER,           -- that it submitted; may have been removed since
  PRIMARY KEY (schedule_id, slot_at_ms)
) STRICT, WITHOUT ROWID;
-- Which slots are old enough to go?
CREATE INDEX schedule_slots_age ON schedule_slots (dealt_with_at_ms);

-- --- Hooks --------------------------------------------------------------------------------------

-- A delivery: one event of one task for one hook. Written with the event (write/outbox.cc), then by
-- each try (deliveries.cc). It outlives its task while it is pending.
CREATE TABLE deliveries (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of the events
  delivery_id TEXT    NOT NULL,  -- tells the hook which tries are of one delivery
  hook        TEXT    NOT NULL,
  uid         INTEGER NOT NULL DEFAULT 0,  -- whose task it is; users take turns at a hook
  task_id     INTEGER NOT NULL,
  state       TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  next_at_ms  INTEGER,  -- of the next try; NULL while pending: one of this hook and task goes first
  event       TEXT    NOT NULL CHECK (event IN ('submitted', 'started', 'retrying', 'lost',
                                                'succeeded', 'failed', 'cancelled')),
  at_ms       INTEGER NOT NULL,  -- of the event
  task        TEXT,              -- as it was then, JSON without the spec; NULL: not pending
  tries       INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  tried_at_ms INTEGER,           -- the latest try
  done_at_ms  INTEGER,           -- delivered or failed
  error       TEXT    NOT NULL DEFAULT '',  -- of the latest try
  CHECK ((state = 'pending') = (done_at_ms IS NULL)),
  CHECK ((state = 'pending') = (task IS NOT NULL)),
  CHECK (state = 'pending' OR next_at_ms IS NULL)
) STRICT;
-- Whose turn is it at the hook, and which of that user's deliveries is due first?
CREATE INDEX deliveries_due ON deliveries (hook, uid, next_at_ms, seq) WHERE next_at_ms IS NOT NULL;
-- Which delivery about a task is next? How many wait for a hook?
CREATE INDEX deliveries_pending ON deliveries (hook, task_id, seq) WHERE state = 'pending';
-- What has waited for too long and is given up?
CREATE INDEX deliveries_age ON deliveries (hook, uid, at_ms, seq) WHERE state = 'pending';
-- A hook's failures: how many, and the latest error.
CREATE INDEX deliveries_failed ON deliveries (hook) WHERE state = 'failed';
CREATE INDEX deliveries_error  ON deliveries (hook, tried_at_ms, seq) WHERE error <> '';
-- The deliveries of a task. Does a removed task have pending ones?
CREATE INDEX deliveries_of_task ON deliveries (task_id, seq);
-- Which are old enough to go?
CREATE INDEX deliveries_done ON deliveries (done_at_ms) WHERE done_at_ms IS NOT NULL;

-- The spec that a task had until it got another or was removed, as long as deliveries need it
-- (write/outbox.cc).
CREATE TABLE delivery_specs (
  task_id  INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,  -- of the last delivery that it belongs to
  spec     TEXT    NOT NULL   -- as in task_specs
) STRICT;
-- The spec for a delivery.
CREATE INDEX delivery_specs_of_task ON delivery_specs (task_id, last_seq);

-- --- Requests and events ------------------------------------------------------------------------

-- A change under an Idempotency-Key, written in its first commit: of submits by tasks/submit.cc, of
-- all other verbs by write/idempotent_request.cc.
CREATE TABLE idempotency_keys (
  uid            INTEGER NOT NULL,
  key            TEXT    NOT NULL,
  request_digest TEXT    NOT NULL,                -- of path and parsed body
  first_task_id  INTEGER,                         -- of a submit; else the task that it was about
  task_count     INTEGER CHECK (task_count > 0),  -- of a submit
  task_ids       TEXT,                            -- NULL: they follow the first one
  workflow_id    INTEGER,
  created_at_ms  INTEGER NOT NULL,
  finished       INTEGER NOT NULL DEFAULT 1 CHECK (finished IN (0, 1)),  -- 0: more commits follow
  answer         TEXT,                            -- JSON; NULL: the object as it is says it
  PRIMARY KEY (uid, key)
) STRICT, WITHOUT ROWID;
-- Which are old enough to go?
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at_ms);

-- Something that happened. Every transition of a task writes one.
CREATE TABLE events (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms      INTEGER NOT NULL,
  generation INTEGER NOT NULL,  -- of the daemon that wrote it; see store
  task_id    INTEGER,           -- NULL: about the daemon, a queue, a schedule or a user
  attempt    INTEGER,
  type       TEXT    NOT NULL,
  from_state TEXT,
  to_state   TEXT,
  actor_uid  INTEGER,           -- who asked for it; NULL: the daemon
  detail     TEXT
) STRICT;
-- Who holds a task (why)?
CREATE INDEX events_held ON events (task_id, seq) WHERE to_state = 'held';
