"""Databases as earlier programs made them, with rows in every table; and the schema and rows of any database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

_MADE = json.loads(Path(__file__).with_name("store_schemas.json").read_text())
SCHEMAS = {made["id"]: made for made in _MADE["schemas"]}
"""By version and the commit that made such a database: those between two releases were changed within a version."""
RELEASED = "0001-5e6ac86"  # as 0.1.0 has it

QUEUED, ENDED, BY_HAND = (f"run_01m0000000000000000000000{letter}" for letter in "abc")
EVENT, OLD_EVENT = (f"evt_01m0000000000000000000000{letter}" for letter in "ab")
AT = 1_795_000_000_000_000


def _run(run, event, status, **more):
    return {
        "id": run, "event": event, "trigger": event and "auto", "trigger_digest": event and "t" * 64, "flow": "deal-process",
        "flow_digest": "f" * 64, "status": status, "priority": 5, "epoch": 0, "owner": "daemon-1", "created_at": AT,
        "inputs": '{"companyName":"Acme «✓»"}', **more,
    }  # fmt: skip


ROWS = {  # of every version, in the columns that the first one had
    "events": [
        {"id": event, "source": "webhook", "address": "/deal", "time": AT, "document": '{"body":{"n":1e400,"s":"\\ud800"}}'}
        for event in (EVENT, OLD_EVENT)
    ],
    "verdicts": [
        {"event": EVENT, "trigger": "auto", "trigger_digest": "t" * 64, "verdict": "dispatched", "run": QUEUED},
        {"event": OLD_EVENT, "trigger": "auto", "verdict": "dispatched", "run": ENDED},
        {"event": EVENT, "trigger": "other", "verdict": "filter_false", "reason": "no", "detail": '{"values":{}}'},
    ],
    "runs": [
        _run(QUEUED, EVENT, "queued"),
        _run(ENDED, OLD_EVENT, "completed", started_at=AT + 1, finished_at=AT + 2, output='{"big":12345678901234567890}'),
        _run(BY_HAND, None, "running", started_at=AT + 3),
    ],
    "attempts": [
        {"run": run, "path": path, "number": 1, "position": position, "step": path, "kind": "bash", "status": "success",
         "started_at": AT, "duration_ms": 1, "output": "1", "usage": '{"inputTokens":7}', "cost_label": "x", "flags": 2}
        for position, (run, path) in enumerate([(ENDED, "a"), (ENDED, "b[0].c"), (BY_HAND, "a")])
    ],
    "causes": [
        {"scope": "schedule:daily", "key": "2026-11-23T09:00:00Z", "event": EVENT},
        {"scope": "idempotency:auto", "key": "d-1", "event": OLD_EVENT, "expires_at": AT + 10},
    ],
    "source_state": [{"source": "schedule", "key": "daily", "value": '{"due":"2026-11-24T09:00:00Z"}'}],
    "definitions": [
        {"digest": letter * 64, "noun": noun, "key": "deal-process", "definition": '{"steps":[]}', "folder": "/srv", "saved_at": AT}
        for letter, noun in (("f", "flow"), ("t", "trigger"))
    ],
}  # fmt: skip
SINCE = {  # what a version brought: columns of the first row of a table, or a table's rows
    "0002": {"runs": {"chain": EVENT, "depth": 0}, "definitions": {"subflows": '{"enrich":"%s"}' % ("e" * 64)}},
    "0003": {"spilled": [{"run": ENDED, "digest": "a" * 64}]},
    "0004": {"runs": {"start_by": AT + 10**12, "finish_within": 60_000_000, "cancel_asked": AT + 5, "cancel_reason": "enough"}},
    "0005": {
        "waits": [{"run": BY_HAND, "path": "w", "number": 1, "kind": "approval", "created_at": AT, "detail": '{"to":"ann"}'}]
    },
}


def rows_of(version):
    """What a program of that version may have written."""
    rows = {table: [dict(row) for row in added] for table, added in ROWS.items()}
    for since, brought in SINCE.items():
        for table, added in brought.items() if since <= version else ():
            if isinstance(added, dict):
                rows[table][0] |= added
            else:
                rows[table] = [dict(row) for row in added]
    return rows


def make_old(location, schema):
    """A database as the program with this schema left it. Returns its rows by table."""
    made, on_sqlite = SCHEMAS[schema], isinstance(location, Path)
    rows = rows_of(made["version"])
    statements = [(_MADE["statements"][number], ()) for number in made["sqlite" if on_sqlite else "postgresql"]]
    statements.append((f"INSERT INTO alembic_version VALUES ('{made['version']}')", ()))
    for table, added in rows.items():
        for row in added:
            names, places = ", ".join(f'"{name}"' for name in row), ", ".join("?" if on_sqlite else "%s" for _ in row)
            statements.append((f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(row.values())))
    if on_sqlite:
        location.parent.mkdir(parents=True, exist_ok=True)
    with opened(location) as connection:
        for statement, values in statements:
            connection.execute(statement, *([values] if values else []))
    return rows


def stored(location, tables):
    """The rows of these tables, as rows_of() has them: without what is NULL, and so without what a migration added."""
    found = {}
    with opened(location) as connection:
        for table in tables:
            cursor = connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            found[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return in_order(found)


def in_order(rows):
    plain = {table: [{name: value for name, value in row.items() if value is not None} for row in rows[table]] for table in rows}
    return {table: sorted(plain[table], key=lambda row: sorted(map(str, row.items()))) for table in plain}


@contextmanager
def opened(location):
    """A stranger's connection, the same for both databases as far as queries without values go."""
    connect = sqlite3.connect if isinstance(location, Path) else psycopg.connect
    with closing(connect(location if isinstance(location, Path) else location.url)) as connection, connection:
        yield connection


SQLITE_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
COLUMNS = """
SELECT table_name, column_name, data_type, collation_name, is_nullable FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name <> 'alembic_version' ORDER BY table_name, ordinal_position
"""
INDEXES = r"""
SELECT indexname, regexp_replace(indexdef, '\w+\.', '') FROM pg_indexes
WHERE schemaname = current_schema() AND tablename <> 'alembic_version' ORDER BY 1
"""


def schema_of(location):
    """Tables with their columns, and indexes with what they are of, in words that can be compared."""
    with opened(location) as connection:
        if not isinstance(location, Path):
            return [connection.execute(query).fetchall() for query in (COLUMNS, INDEXES)]
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        columns = {table: [row[1:] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables}
        indexes = [(name, " ".join(sql.split())) for name, sql in connection.execute(SQLITE_INDEXES)]
    return [columns, indexes]
