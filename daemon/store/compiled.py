"""The hot statements and the schema as SQL for both databases. Made by `python -m daemon.store.statements`; do not edit."""

from daemon.store.hot import Hot

HEAD = '0006'
LIVE = ('queued', 'running', 'waiting', 'paused')

SCHEMA = (
    'CREATE TABLE alembic_version ( version_num VARCHAR(32) NOT NULL, PRIMARY KEY (version_num) )',
    'CREATE TABLE attempts ( run VARCHAR(40) NOT NULL, path TEXT NOT NULL, number INTEGER NOT NULL, position BIGINT NOT NULL, step TEXT NOT NULL, kind TEXT NOT NULL, status VARCHAR(12) NOT NULL, started_at BIGINT NOT NULL, duration_ms BIGINT, output TEXT, response TEXT, error TEXT, code TEXT, usage TEXT, cost_label TEXT, flags SMALLINT NOT NULL, PRIMARY KEY (run, path, number) )',
    'CREATE TABLE causes ( scope TEXT NOT NULL, "key" TEXT NOT NULL, event VARCHAR(40) NOT NULL, expires_at BIGINT, PRIMARY KEY (scope, "key") ) WITHOUT ROWID',
    'CREATE INDEX causes_event ON causes (event)',
    'CREATE TABLE definitions ( digest VARCHAR(64) NOT NULL, noun VARCHAR(8) NOT NULL, "key" TEXT NOT NULL, definition TEXT NOT NULL, folder TEXT NOT NULL, saved_at BIGINT NOT NULL, subflows TEXT, PRIMARY KEY (digest) )',
    'CREATE INDEX definitions_key ON definitions (noun, "key")',
    'CREATE TABLE events ( id VARCHAR(40) NOT NULL, source VARCHAR(20) NOT NULL, address TEXT NOT NULL, subject TEXT, time BIGINT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (id) )',
    "CREATE INDEX events_of_runs ON events (subject) WHERE source IN ('flow', 'event')",
    'CREATE TABLE runs ( id VARCHAR(40) NOT NULL, event VARCHAR(40), "trigger" TEXT, trigger_digest VARCHAR(64), flow TEXT NOT NULL, flow_digest VARCHAR(64) NOT NULL, status VARCHAR(12) NOT NULL, priority SMALLINT NOT NULL, epoch INTEGER NOT NULL, owner VARCHAR(40), lease_until BIGINT, created_at BIGINT NOT NULL, started_at BIGINT, finished_at BIGINT, inputs TEXT NOT NULL, output TEXT, error TEXT, code TEXT, chain TEXT, depth INTEGER, not_before BIGINT, start_by BIGINT, finish_within BIGINT, retry_of VARCHAR(40), cancel_asked BIGINT, cancel_reason TEXT, ending TEXT, PRIMARY KEY (id) )',
    'CREATE INDEX runs_chain ON runs (chain, id) WHERE depth > 0',
    'CREATE INDEX runs_live ON runs ("trigger", id) WHERE (status = \'queued\' OR status = \'running\' OR status = \'waiting\' OR status = \'paused\')',
    'CREATE INDEX runs_retries ON runs (retry_of, id) WHERE retry_of IS NOT NULL',
    'CREATE TABLE source_state ( source TEXT NOT NULL, "key" TEXT NOT NULL, value TEXT, PRIMARY KEY (source, "key") ) WITHOUT ROWID',
    'CREATE TABLE spilled ( run VARCHAR(40) NOT NULL, digest VARCHAR(64) NOT NULL, PRIMARY KEY (run, digest) ) WITHOUT ROWID',
    'CREATE TABLE verdicts ( event VARCHAR(40) NOT NULL, "trigger" TEXT NOT NULL, trigger_digest VARCHAR(64), verdict VARCHAR(24) NOT NULL, reason TEXT, detail TEXT, run VARCHAR(40), PRIMARY KEY (event, "trigger") ) WITHOUT ROWID',
    'CREATE TABLE waits ( run VARCHAR(40) NOT NULL, path TEXT NOT NULL, number INTEGER NOT NULL, kind VARCHAR(12) NOT NULL, created_at BIGINT NOT NULL, due_at BIGINT, limit_at BIGINT, detail TEXT, how VARCHAR(12), resolved_at BIGINT, resolved_by TEXT, resolution TEXT, PRIMARY KEY (run, path, number) )',
    "CREATE INDEX waits_event ON waits (resolved_by) WHERE kind = 'event'",
)

SCHEMA_POSTGRESQL = (
    'CREATE TABLE alembic_version ( version_num TEXT COLLATE "C" NOT NULL, PRIMARY KEY (version_num) )',
    'CREATE TABLE attempts ( run TEXT COLLATE "C" NOT NULL, path TEXT COLLATE "C" NOT NULL, number INTEGER NOT NULL, position BIGINT NOT NULL, step TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL, status TEXT COLLATE "C" NOT NULL, started_at BIGINT NOT NULL, duration_ms BIGINT, output TEXT, response TEXT, error TEXT, code TEXT COLLATE "C", usage TEXT, cost_label TEXT COLLATE "C", flags SMALLINT NOT NULL, PRIMARY KEY (run, path, number) )',
    'CREATE TABLE causes ( scope TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL, event TEXT COLLATE "C" NOT NULL, expires_at BIGINT, PRIMARY KEY (scope, key) )',
    'CREATE INDEX causes_event ON causes (event)',
    'CREATE TABLE definitions ( digest TEXT COLLATE "C" NOT NULL, noun TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL, definition TEXT NOT NULL, folder TEXT NOT NULL, saved_at BIGINT NOT NULL, subflows TEXT, PRIMARY KEY (digest) )',
    'CREATE INDEX definitions_key ON definitions (noun, key)',
    'CREATE TABLE events ( id TEXT COLLATE "C" NOT NULL, source TEXT COLLATE "C" NOT NULL, address TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C", time BIGINT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (id) )',
    "CREATE INDEX events_of_runs ON events (subject) WHERE source IN ('flow', 'event')",
    'CREATE TABLE runs ( id TEXT COLLATE "C" NOT NULL, event TEXT COLLATE "C", trigger TEXT COLLATE "C", trigger_digest TEXT COLLATE "C", flow TEXT COLLATE "C" NOT NULL, flow_digest TEXT COLLATE "C" NOT NULL, status TEXT COLLATE "C" NOT NULL, priority SMALLINT NOT NULL, epoch INTEGER NOT NULL, owner TEXT COLLATE "C", lease_until BIGINT, created_at BIGINT NOT NULL, started_at BIGINT, finished_at BIGINT, inputs TEXT NOT NULL, output TEXT, error TEXT, code TEXT COLLATE "C", chain TEXT COLLATE "C", depth INTEGER, not_before BIGINT, start_by BIGINT, finish_within BIGINT, retry_of TEXT COLLATE "C", cancel_asked BIGINT, cancel_reason TEXT, ending TEXT, PRIMARY KEY (id) )',
    'CREATE INDEX runs_chain ON runs (chain, id) WHERE depth > 0',
    "CREATE INDEX runs_live ON runs (trigger, id) WHERE (status = 'queued' OR status = 'running' OR status = 'waiting' OR status = 'paused')",
    'CREATE INDEX runs_retries ON runs (retry_of, id) WHERE retry_of IS NOT NULL',
    'CREATE TABLE source_state ( source TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL, value TEXT, PRIMARY KEY (source, key) )',
    'CREATE TABLE spilled ( run TEXT COLLATE "C" NOT NULL, digest TEXT COLLATE "C" NOT NULL, PRIMARY KEY (run, digest) )',
    'CREATE TABLE verdicts ( event TEXT COLLATE "C" NOT NULL, trigger TEXT COLLATE "C" NOT NULL, trigger_digest TEXT COLLATE "C", verdict TEXT COLLATE "C" NOT NULL, reason TEXT, detail TEXT, run TEXT COLLATE "C", PRIMARY KEY (event, trigger) )',
    'CREATE TABLE waits ( run TEXT COLLATE "C" NOT NULL, path TEXT COLLATE "C" NOT NULL, number INTEGER NOT NULL, kind TEXT COLLATE "C" NOT NULL, created_at BIGINT NOT NULL, due_at BIGINT, limit_at BIGINT, detail TEXT, how TEXT COLLATE "C", resolved_at BIGINT, resolved_by TEXT COLLATE "C", resolution TEXT, PRIMARY KEY (run, path, number) )',
    "CREATE INDEX waits_event ON waits (resolved_by) WHERE kind = 'event'",
)

SAVE_DEFINITION = Hot(
    0,
    'INSERT INTO definitions (digest, noun, "key", definition, folder, saved_at, subflows) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING',
    b'INSERT INTO definitions (digest, noun, key, definition, folder, saved_at, subflows) VALUES (%s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR, %s::VARCHAR, %s::BIGINT, %s::VARCHAR) ON CONFLICT (digest) DO NOTHING',
    ('digest', 'noun', 'key', 'definition', 'folder', 'saved_at', 'subflows'),
)
CLAIM_CAUSE = Hot(
    5,
    'INSERT INTO causes (scope, "key", event, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (scope, "key") DO UPDATE SET event = excluded.event, expires_at = excluded.expires_at WHERE causes.expires_at IS NOT NULL AND causes.expires_at <= ?',
    b'INSERT INTO causes (scope, key, event, expires_at) VALUES (%s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::BIGINT) ON CONFLICT (scope, key) DO UPDATE SET event = excluded.event, expires_at = excluded.expires_at WHERE causes.expires_at IS NOT NULL AND causes.expires_at <= %s::BIGINT',
    ('scope', 'key', 'event', 'expires_at', 'now_'),
)
INSERT_EVENT = Hot(
    10,
    'INSERT INTO events (id, source, address, subject, time, document) VALUES (?, ?, ?, ?, ?, ?)',
    b'INSERT INTO events (id, source, address, subject, time, document) VALUES (%s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::BIGINT, %s::VARCHAR)',
    ('id', 'source', 'address', 'subject', 'time', 'document'),
)
INSERT_VERDICT = Hot(
    20,
    'INSERT INTO verdicts (event, "trigger", trigger_digest, verdict, reason, detail, run) VALUES (?, ?, ?, ?, ?, ?, ?)',
    b'INSERT INTO verdicts (event, trigger, trigger_digest, verdict, reason, detail, run) VALUES (%s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR, %s::VARCHAR, %s::VARCHAR COLLATE "C")',
    ('event', 'trigger', 'trigger_digest', 'verdict', 'reason', 'detail', 'run'),
)
INSERT_RUN = Hot(
    30,
    'INSERT INTO runs (id, event, "trigger", trigger_digest, flow, flow_digest, status, priority, epoch, owner, lease_until, created_at, inputs, chain, depth) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    b'INSERT INTO runs (id, event, trigger, trigger_digest, flow, flow_digest, status, priority, epoch, owner, lease_until, created_at, inputs, chain, depth) VALUES (%s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::SMALLINT, %s::INTEGER, %s::VARCHAR COLLATE "C", %s::BIGINT, %s::BIGINT, %s::VARCHAR, %s::VARCHAR COLLATE "C", %s::INTEGER)',
    ('id', 'event', 'trigger', 'trigger_digest', 'flow', 'flow_digest', 'status', 'priority', 'epoch', 'owner', 'lease_until', 'created_at', 'inputs', 'chain', 'depth'),
)
LIMIT_RUN = Hot(
    31,
    'UPDATE runs SET not_before=?, start_by=?, finish_within=?, retry_of=? WHERE runs.id = ?',
    b'UPDATE runs SET not_before=%s::BIGINT, start_by=%s::BIGINT, finish_within=%s::BIGINT, retry_of=%s::VARCHAR COLLATE "C" WHERE runs.id = %s::VARCHAR COLLATE "C"',
    ('not_before', 'start_by', 'finish_within', 'retry_of', 'id_'),
)
RECORD_ATTEMPT = Hot(
    40,
    'INSERT INTO attempts (run, path, number, position, step, kind, status, started_at, duration_ms, output, response, error, code, usage, cost_label, flags) SELECT ? AS anon_1, ? AS anon_2, ? AS anon_3, ? AS anon_4, ? AS anon_5, ? AS anon_6, ? AS anon_7, ? AS anon_8, ? AS anon_9, ? AS anon_10, ? AS anon_11, ? AS anon_12, ? AS anon_13, ? AS anon_14, ? AS anon_15, ? AS anon_16 WHERE EXISTS (SELECT 1 FROM runs WHERE runs.id = ? AND runs.owner = ?) ON CONFLICT (run, path, number) DO UPDATE SET step = excluded.step, kind = excluded.kind, status = excluded.status, started_at = excluded.started_at, duration_ms = excluded.duration_ms, output = excluded.output, response = excluded.response, error = excluded.error, code = excluded.code, usage = excluded.usage, cost_label = excluded.cost_label, flags = excluded.flags',
    b'INSERT INTO attempts (run, path, number, position, step, kind, status, started_at, duration_ms, output, response, error, code, usage, cost_label, flags) SELECT %s::VARCHAR COLLATE "C" AS anon_1, %s::VARCHAR COLLATE "C" AS anon_2, %s::INTEGER AS anon_3, %s::BIGINT AS anon_4, %s::VARCHAR COLLATE "C" AS anon_5, %s::VARCHAR COLLATE "C" AS anon_6, %s::VARCHAR COLLATE "C" AS anon_7, %s::BIGINT AS anon_8, %s::BIGINT AS anon_9, %s::VARCHAR AS anon_10, %s::VARCHAR AS anon_11, %s::VARCHAR AS anon_12, %s::VARCHAR COLLATE "C" AS anon_13, %s::VARCHAR AS anon_14, %s::VARCHAR COLLATE "C" AS anon_15, %s::SMALLINT AS anon_16 WHERE EXISTS (SELECT 1 FROM runs WHERE runs.id = %s::VARCHAR COLLATE "C" AND runs.owner = %s::VARCHAR COLLATE "C" FOR SHARE) ON CONFLICT (run, path, number) DO UPDATE SET step = excluded.step, kind = excluded.kind, status = excluded.status, started_at = excluded.started_at, duration_ms = excluded.duration_ms, output = excluded.output, response = excluded.response, error = excluded.error, code = excluded.code, usage = excluded.usage, cost_label = excluded.cost_label, flags = excluded.flags',
    ('run', 'path', 'number', 'position', 'step', 'kind', 'status', 'started_at', 'duration_ms', 'output', 'response', 'error', 'code', 'usage', 'cost_label', 'flags', 'run_', 'owner_'),
    fenced=True,
)
RECORD_PLAIN = Hot(
    40,
    'INSERT INTO attempts (run, path, number, position, step, kind, status, started_at, duration_ms, output, flags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, path, number) DO NOTHING',
    b'INSERT INTO attempts (run, path, number, position, step, kind, status, started_at, duration_ms, output, flags) VALUES (%s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::INTEGER, %s::BIGINT, %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::BIGINT, %s::BIGINT, %s::VARCHAR, %s::SMALLINT) ON CONFLICT (run, path, number) DO NOTHING',
    ('run', 'path', 'number', 'position', 'step', 'kind', 'status', 'started_at', 'duration_ms', 'output', 'flags'),
)
SAVE_SPILLED = Hot(
    45,
    'INSERT INTO spilled (run, digest) VALUES (?, ?) ON CONFLICT (run, digest) DO NOTHING',
    b'INSERT INTO spilled (run, digest) VALUES (%s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C") ON CONFLICT (run, digest) DO NOTHING',
    ('run', 'digest'),
)
ASK_CANCEL = Hot(
    48,
    "UPDATE runs SET cancel_asked=?, cancel_reason=? WHERE runs.id = ? AND (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused') AND runs.cancel_asked IS NULL",
    b'UPDATE runs SET cancel_asked=%s::BIGINT, cancel_reason=%s::VARCHAR WHERE runs.id = %s::VARCHAR COLLATE "C" AND (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\') AND runs.cancel_asked IS NULL',
    ('cancel_asked', 'cancel_reason', 'id_'),
)
STOP_ASKED = Hot(
    90,
    'SELECT runs.cancel_asked, runs.cancel_reason FROM runs WHERE runs.id = ? AND runs.cancel_asked IS NOT NULL',
    b'SELECT runs.cancel_asked, runs.cancel_reason FROM runs WHERE runs.id = %s::VARCHAR COLLATE "C" AND runs.cancel_asked IS NOT NULL',
    ('id_',),
)
START_RUN = Hot(
    50,
    "UPDATE runs SET status=?, started_at=? WHERE runs.id = ? AND runs.owner = ? AND (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused')",
    b'UPDATE runs SET status=%s::VARCHAR COLLATE "C", started_at=%s::BIGINT WHERE runs.id = %s::VARCHAR COLLATE "C" AND runs.owner = %s::VARCHAR COLLATE "C" AND (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\')',
    ('status', 'started_at', 'id_', 'owner_'),
)
SAVE_ENDING = Hot(
    55,
    "UPDATE runs SET ending=? WHERE runs.id = ? AND runs.owner = ? AND (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused')",
    b'UPDATE runs SET ending=%s::VARCHAR WHERE runs.id = %s::VARCHAR COLLATE "C" AND runs.owner = %s::VARCHAR COLLATE "C" AND (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\')',
    ('ending', 'id_', 'owner_'),
    fenced=True,
)
FINISH_RUN = Hot(
    60,
    "UPDATE runs SET status=?, started_at=?, finished_at=?, output=?, error=?, code=? WHERE runs.id = ? AND runs.owner = ? AND (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused')",
    b'UPDATE runs SET status=%s::VARCHAR COLLATE "C", started_at=%s::BIGINT, finished_at=%s::BIGINT, output=%s::VARCHAR, error=%s::VARCHAR, code=%s::VARCHAR COLLATE "C" WHERE runs.id = %s::VARCHAR COLLATE "C" AND runs.owner = %s::VARCHAR COLLATE "C" AND (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\')',
    ('status', 'started_at', 'finished_at', 'output', 'error', 'code', 'id_', 'owner_'),
    fenced=True,
)
OPEN_WAIT = Hot(
    64,
    'INSERT INTO waits (run, path, number, kind, created_at, due_at, limit_at, detail) SELECT ? AS anon_1, ? AS anon_2, ? AS anon_3, ? AS anon_4, ? AS anon_5, ? AS anon_6, ? AS anon_7, ? AS anon_8 WHERE EXISTS (SELECT 1 FROM runs WHERE runs.id = ? AND runs.owner = ?) ON CONFLICT (run, path, number) DO NOTHING',
    b'INSERT INTO waits (run, path, number, kind, created_at, due_at, limit_at, detail) SELECT %s::VARCHAR COLLATE "C" AS anon_1, %s::VARCHAR COLLATE "C" AS anon_2, %s::INTEGER AS anon_3, %s::VARCHAR COLLATE "C" AS anon_4, %s::BIGINT AS anon_5, %s::BIGINT AS anon_6, %s::BIGINT AS anon_7, %s::VARCHAR AS anon_8 WHERE EXISTS (SELECT 1 FROM runs WHERE runs.id = %s::VARCHAR COLLATE "C" AND runs.owner = %s::VARCHAR COLLATE "C") ON CONFLICT (run, path, number) DO NOTHING',
    ('run', 'path', 'number', 'kind', 'created_at', 'due_at', 'limit_at', 'detail', 'run_', 'owner_'),
)
RESOLVE_WAIT = Hot(
    66,
    'UPDATE waits SET how=?, resolved_at=?, resolved_by=?, resolution=? WHERE waits.run = ? AND waits.path = ? AND waits.number = ? AND waits.resolved_at IS NULL',
    b'UPDATE waits SET how=%s::VARCHAR COLLATE "C", resolved_at=%s::BIGINT, resolved_by=%s::VARCHAR COLLATE "C", resolution=%s::VARCHAR WHERE waits.run = %s::VARCHAR COLLATE "C" AND waits.path = %s::VARCHAR COLLATE "C" AND waits.number = %s::INTEGER AND waits.resolved_at IS NULL',
    ('how', 'resolved_at', 'resolved_by', 'resolution', 'run_', 'path_', 'number_'),
)
CLOSE_WAIT = Hot(
    68,
    'DELETE FROM waits WHERE waits.run = ? AND waits.path = ? AND waits.number = ? AND waits.resolved_at IS NULL',
    b'DELETE FROM waits WHERE waits.run = %s::VARCHAR COLLATE "C" AND waits.path = %s::VARCHAR COLLATE "C" AND waits.number = %s::INTEGER AND waits.resolved_at IS NULL',
    ('run_', 'path_', 'number_'),
)
LIVE_WAITS = Hot(
    90,
    "SELECT waits.run, waits.path, waits.number, waits.kind, waits.created_at, waits.due_at, waits.limit_at, waits.detail, waits.how, waits.resolved_at, waits.resolved_by, waits.resolution FROM waits WHERE waits.run IN (SELECT runs.id FROM runs WHERE runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused') AND NOT (EXISTS (SELECT 1 FROM attempts WHERE attempts.run = waits.run AND attempts.path = waits.path AND attempts.number = waits.number))",
    b"SELECT waits.run, waits.path, waits.number, waits.kind, waits.created_at, waits.due_at, waits.limit_at, waits.detail, waits.how, waits.resolved_at, waits.resolved_by, waits.resolution FROM waits WHERE waits.run IN (SELECT runs.id FROM runs WHERE runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused') AND NOT (EXISTS (SELECT 1 FROM attempts WHERE attempts.run = waits.run AND attempts.path = waits.path AND attempts.number = waits.number))",
    (),
)
SAVE_STATE = Hot(
    70,
    'INSERT INTO source_state (source, "key", value) VALUES (?, ?, ?) ON CONFLICT (source, "key") DO UPDATE SET value = excluded.value',
    b'INSERT INTO source_state (source, key, value) VALUES (%s::VARCHAR COLLATE "C", %s::VARCHAR COLLATE "C", %s::VARCHAR) ON CONFLICT (source, key) DO UPDATE SET value = excluded.value',
    ('source', 'key', 'value'),
)
RENEW_LEASE = Hot(
    80,
    "UPDATE runs SET lease_until=? WHERE runs.owner = ? AND (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused')",
    b'UPDATE runs SET lease_until=%s::BIGINT WHERE runs.owner = %s::VARCHAR COLLATE "C" AND (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\')',
    ('lease_until', 'owner_'),
)
RECONCILE = Hot(
    90,
    'UPDATE runs SET epoch=(runs.epoch + 1), owner=?, lease_until=NULL WHERE (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\') AND (runs.lease_until IS NULL OR runs.lease_until < ?) RETURNING id, epoch, priority, "trigger", not_before, start_by, cancel_asked, status, started_at, finish_within, flow',
    b'UPDATE runs SET epoch=(runs.epoch + 1), owner=%s::VARCHAR COLLATE "C", lease_until=NULL WHERE (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\') AND (runs.lease_until IS NULL OR runs.lease_until < %s::BIGINT) RETURNING runs.id, runs.epoch, runs.priority, runs.trigger, runs.not_before, runs.start_by, runs.cancel_asked, runs.status, runs.started_at, runs.finish_within, runs.flow',
    ('owner', 'now_'),
)
RESCUE = Hot(
    90,
    'UPDATE runs SET epoch=(runs.epoch + 1), owner=?, lease_until=NULL WHERE (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\') AND runs.lease_until < ? RETURNING id, epoch, priority, "trigger", not_before, start_by, cancel_asked, status, started_at, finish_within, flow',
    b'UPDATE runs SET epoch=(runs.epoch + 1), owner=%s::VARCHAR COLLATE "C", lease_until=NULL WHERE (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\') AND runs.lease_until < %s::BIGINT RETURNING runs.id, runs.epoch, runs.priority, runs.trigger, runs.not_before, runs.start_by, runs.cancel_asked, runs.status, runs.started_at, runs.finish_within, runs.flow',
    ('owner', 'now_'),
)
LAPSED = Hot(
    90,
    "SELECT runs.id FROM runs WHERE (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused') AND runs.lease_until < ? LIMIT 1 OFFSET 0",
    b"SELECT runs.id FROM runs WHERE (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused') AND runs.lease_until < %s::BIGINT LIMIT 1 OFFSET 0",
    ('now_',),
)
LAST_POSITION = Hot(
    90,
    "SELECT max(attempts.position) AS max_1 FROM attempts WHERE attempts.run IN (SELECT runs.id FROM runs WHERE runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused')",
    b"SELECT max(attempts.position) AS max_1 FROM attempts WHERE attempts.run IN (SELECT runs.id FROM runs WHERE runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused')",
    (),
)
LOAD_STATE = Hot(
    90,
    'SELECT source_state."key", source_state.value FROM source_state WHERE source_state.source = ? AND source_state.value IS NOT NULL',
    b'SELECT source_state.key, source_state.value FROM source_state WHERE source_state.source = %s::VARCHAR COLLATE "C" AND source_state.value IS NOT NULL',
    ('source',),
)
SPILLED_DIGESTS = Hot(
    90,
    'SELECT DISTINCT spilled.digest FROM spilled',
    b'SELECT DISTINCT spilled.digest FROM spilled',
    (),
)
KEPT_DIGESTS = Hot(
    90,
    'SELECT definitions.digest FROM definitions',
    b'SELECT definitions.digest FROM definitions',
    (),
)
MANY_VERSIONS = Hot(
    90,
    'SELECT definitions."key" FROM definitions GROUP BY definitions.noun, definitions."key" HAVING count(*) > ?',
    b'SELECT definitions.key FROM definitions GROUP BY definitions.noun, definitions.key HAVING count(*) > %s::INTEGER',
    ('most_',),
)
VERSIONS_BY_AGE = Hot(
    90,
    'SELECT definitions.digest, definitions.noun, definitions."key", definitions.subflows FROM definitions ORDER BY definitions.noun, definitions."key", definitions.saved_at DESC, definitions.digest',
    b'SELECT definitions.digest, definitions.noun, definitions.key, definitions.subflows FROM definitions ORDER BY definitions.noun, definitions.key, definitions.saved_at DESC, definitions.digest',
    (),
)
PINNED_VERSIONS = Hot(
    90,
    'SELECT runs.flow_digest FROM runs UNION SELECT runs.trigger_digest FROM runs WHERE runs.trigger_digest IS NOT NULL',
    b'SELECT runs.flow_digest FROM runs UNION SELECT runs.trigger_digest FROM runs WHERE runs.trigger_digest IS NOT NULL',
    (),
)
FORGET_VERSION = Hot(
    90,
    'DELETE FROM definitions WHERE definitions.digest = ?',
    b'DELETE FROM definitions WHERE definitions.digest = %s::VARCHAR COLLATE "C"',
    ('digest_',),
)
CAUSE_EVENT = Hot(
    90,
    'SELECT causes.event FROM causes WHERE causes.scope = ? AND causes."key" = ?',
    b'SELECT causes.event FROM causes WHERE causes.scope = %s::VARCHAR COLLATE "C" AND causes.key = %s::VARCHAR COLLATE "C"',
    ('scope', 'key'),
)
ENDED_EVENTS = Hot(
    90,
    "SELECT events.id FROM events WHERE events.id <= ? AND NOT (EXISTS (SELECT 1 FROM verdicts JOIN runs ON runs.id = verdicts.run WHERE verdicts.event = events.id AND (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused'))) AND (events.id NOT IN (SELECT runs.event FROM runs WHERE runs.retry_of IS NOT NULL AND (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused') AND runs.event IS NOT NULL)) ORDER BY events.id LIMIT ? OFFSET 0",
    b'SELECT events.id FROM events WHERE events.id <= %s::VARCHAR COLLATE "C" AND (events.id NOT IN (SELECT runs.event FROM runs WHERE (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\') AND runs.event IS NOT NULL)) ORDER BY events.id LIMIT %s OFFSET 0',
    ('last_', 'limit'),
)
EVENTS_DONE_AGAIN = Hot(
    90,
    "SELECT runs.event FROM runs WHERE runs.retry_of IS NOT NULL AND (runs.status = 'queued' OR runs.status = 'running' OR runs.status = 'waiting' OR runs.status = 'paused') AND runs.event IS NOT NULL AND runs.id > ?",
    b'SELECT runs.event FROM runs WHERE runs.retry_of IS NOT NULL AND (runs.status = \'queued\' OR runs.status = \'running\' OR runs.status = \'waiting\' OR runs.status = \'paused\') AND runs.event IS NOT NULL AND runs.id > %s::VARCHAR COLLATE "C"',
    ('since_',),
)
EVENT_BEYOND = Hot(
    90,
    'SELECT events.id FROM events ORDER BY events.id DESC LIMIT 1 OFFSET ?',
    b'SELECT events.id FROM events ORDER BY events.id DESC LIMIT 1 OFFSET %s',
    ('rows',),
)
PRUNE_ATTEMPTS = Hot(
    90,
    'DELETE FROM attempts WHERE attempts.run IN (SELECT verdicts.run FROM verdicts WHERE verdicts.event = ?)',
    b'DELETE FROM attempts WHERE attempts.run IN (SELECT verdicts.run FROM verdicts WHERE verdicts.event = %s::VARCHAR COLLATE "C")',
    ('event_',),
)
PRUNE_SPILLED = Hot(
    90,
    'DELETE FROM spilled WHERE spilled.run IN (SELECT verdicts.run FROM verdicts WHERE verdicts.event = ?)',
    b'DELETE FROM spilled WHERE spilled.run IN (SELECT verdicts.run FROM verdicts WHERE verdicts.event = %s::VARCHAR COLLATE "C")',
    ('event_',),
)
PRUNE_WAITS = Hot(
    90,
    'DELETE FROM waits WHERE waits.run IN (SELECT verdicts.run FROM verdicts WHERE verdicts.event = ?)',
    b'DELETE FROM waits WHERE waits.run IN (SELECT verdicts.run FROM verdicts WHERE verdicts.event = %s::VARCHAR COLLATE "C")',
    ('event_',),
)
PRUNE_RUNS = Hot(
    90,
    'DELETE FROM runs WHERE runs.id IN (SELECT verdicts.run FROM verdicts WHERE verdicts.event = ?)',
    b'DELETE FROM runs WHERE runs.id IN (SELECT verdicts.run FROM verdicts WHERE verdicts.event = %s::VARCHAR COLLATE "C")',
    ('event_',),
)
PRUNE_VERDICTS = Hot(
    90,
    'DELETE FROM verdicts WHERE verdicts.event = ?',
    b'DELETE FROM verdicts WHERE verdicts.event = %s::VARCHAR COLLATE "C"',
    ('event_',),
)
PRUNE_CAUSES = Hot(
    90,
    'DELETE FROM causes WHERE causes.event = ? AND causes.expires_at IS NULL',
    b'DELETE FROM causes WHERE causes.event = %s::VARCHAR COLLATE "C" AND causes.expires_at IS NULL',
    ('event_',),
)
PRUNE_EVENTS = Hot(
    90,
    'DELETE FROM events WHERE events.id = ?',
    b'DELETE FROM events WHERE events.id = %s::VARCHAR COLLATE "C"',
    ('event_',),
)
RUNS_BY_HAND = Hot(
    90,
    'SELECT runs.id FROM runs WHERE (runs.event IS NULL OR runs.retry_of IS NOT NULL) AND runs.finished_at < ? AND runs.id < ? ORDER BY runs.id LIMIT ? OFFSET 0',
    b'SELECT runs.id FROM runs WHERE (runs.event IS NULL OR runs.retry_of IS NOT NULL) AND runs.finished_at < %s::BIGINT AND runs.id < %s::VARCHAR COLLATE "C" ORDER BY runs.id LIMIT %s OFFSET 0',
    ('before', 'last_', 'limit'),
)
PRUNE_ATTEMPTS_OF_RUN = Hot(
    90,
    'DELETE FROM attempts WHERE attempts.run = ?',
    b'DELETE FROM attempts WHERE attempts.run = %s::VARCHAR COLLATE "C"',
    ('run_',),
)
PRUNE_SPILLED_OF_RUN = Hot(
    90,
    'DELETE FROM spilled WHERE spilled.run = ?',
    b'DELETE FROM spilled WHERE spilled.run = %s::VARCHAR COLLATE "C"',
    ('run_',),
)
PRUNE_WAITS_OF_RUN = Hot(
    90,
    'DELETE FROM waits WHERE waits.run = ?',
    b'DELETE FROM waits WHERE waits.run = %s::VARCHAR COLLATE "C"',
    ('run_',),
)
PRUNE_RUN = Hot(
    90,
    'DELETE FROM runs WHERE runs.id = ?',
    b'DELETE FROM runs WHERE runs.id = %s::VARCHAR COLLATE "C"',
    ('run_',),
)
EXPIRED_CAUSES = Hot(
    90,
    'SELECT causes.scope, causes."key" FROM causes WHERE causes.expires_at IS NOT NULL AND causes.expires_at <= ? LIMIT ? OFFSET 0',
    b'SELECT causes.scope, causes.key FROM causes WHERE causes.expires_at IS NOT NULL AND causes.expires_at <= %s::BIGINT LIMIT %s OFFSET 0',
    ('now_', 'limit'),
)
FORGET_CAUSE = Hot(
    90,
    'DELETE FROM causes WHERE causes.scope = ? AND causes."key" = ? AND causes.expires_at IS NOT NULL AND causes.expires_at <= ?',
    b'DELETE FROM causes WHERE causes.scope = %s::VARCHAR COLLATE "C" AND causes.key = %s::VARCHAR COLLATE "C" AND causes.expires_at IS NOT NULL AND causes.expires_at <= %s::BIGINT',
    ('scope_', 'key_', 'now_'),
)
DELETED_STATE = Hot(
    90,
    'SELECT source_state.source, source_state."key" FROM source_state WHERE source_state.value IS NULL LIMIT ? OFFSET 0',
    b'SELECT source_state.source, source_state.key FROM source_state WHERE source_state.value IS NULL LIMIT %s OFFSET 0',
    ('limit',),
)
FORGET_STATE = Hot(
    90,
    'DELETE FROM source_state WHERE source_state.source = ? AND source_state."key" = ? AND source_state.value IS NULL',
    b'DELETE FROM source_state WHERE source_state.source = %s::VARCHAR COLLATE "C" AND source_state.key = %s::VARCHAR COLLATE "C" AND source_state.value IS NULL',
    ('source_', 'key_'),
)
