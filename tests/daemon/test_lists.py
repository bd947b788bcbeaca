"""Lists of runs and events: pages, filters, and how far one question looks."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy.dialects import sqlite

from daemon.admin import Behind, open_admin
from daemon.advice import Advice
from daemon.cli.client import Client
from daemon.config import Address
from daemon.errors import BadRequest, DaemonError
from daemon.home.definitions import Holder
from daemon.home.whole import read_home
from daemon.moment import read_moment
from daemon.operations import Operations
from daemon.store import open_store
from daemon.store.compiled import HEAD, SCHEMA
from daemon.store.lists import SCAN_ROWS, narrowed_events, narrowed_runs
from daemon.store.reads import Reads
from flows.steps import make_kinds
from triggers.ids import first_id, new_id

START = 1_790_000_000.0  # of the first event of a history
STEP_S = 0.5


def history(file: Path, number: int) -> list[str]:
    """A database with so many events and runs, two a second; the third of them is rare. The ids of its runs, the oldest first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file)
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    events, verdicts, runs = [], [], []
    for place in range(number):
        at = START + place * STEP_S
        event, run = (first_id(prefix, at) + f"{place:016}" for prefix in ("evt", "run"))
        word = "rare" if place == 2 else "common"
        events.append((event, "webhook", f"/{word}", word, int(at * 1e6), "{}"))
        verdicts.append((event, word, "dispatched", run))
        status = "failed" if word == "rare" else "completed"
        runs.append((run, event, word, word, "0", status, 5, 0, int(at * 1e6), "{}"))
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", events)
    connection.executemany('INSERT INTO verdicts (event, "trigger", verdict, run) VALUES (?, ?, ?, ?)', verdicts)
    columns = 'id, event, "trigger", flow, flow_digest, status, priority, epoch, created_at, inputs'
    connection.executemany(f"INSERT INTO runs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", runs)
    connection.commit()
    connection.close()
    return [run[0] for run in runs]


@pytest.fixture
async def reads(tmp_path):
    opened = []

    def open_reads(number: int) -> Reads:
        opened.append(Reads(tmp_path / "a.db"))
        opened[0].ids = history(tmp_path / "a.db", number)
        return opened[0]

    yield open_reads
    for each in opened:
        await each.close()


async def every(ask, **which):
    """All pages: the ids in order, and how many pages it took."""
    ids, pages, before = [], 0, None
    while True:
        page = await ask(**which, before=before)
        ids += [row.id for row in page]
        pages += 1
        if page.next is None:
            return ids, pages
        assert before is None or page.next < before
        before = page.next


async def test_pages_hold_every_row_once_and_the_newest_first(reads):
    store = reads(23)

    ids, pages = await every(store.runs, limit=5)

    assert ids == list(reversed(store.ids))
    assert pages == 5


@pytest.mark.parametrize(
    ("list_", "which"),
    [
        ("runs", {"flow": "rare"}),
        ("runs", {"trigger": "rare"}),
        ("runs", {"status": ("failed", "cancelled")}),
        ("events", {"trigger": "rare"}),
        ("events", {"address": "/rare"}),
        ("events", {"subject": "rare"}),
        ("events", {"trigger": "rare", "verdict": ("dispatched",), "source": "webhook"}),
    ],
)
async def test_what_is_rare_is_found_and_no_question_looks_at_more_than_its_share(reads, list_, which):
    store = reads(2 * SCAN_ROWS + 10)

    ids, pages = await every(getattr(store, list_), **which)

    assert len(ids) == 1
    assert pages == 3


async def test_an_instant_narrows_a_list_to_the_millisecond(reads):
    store = reads(100)
    at = START + 50 * STEP_S

    since, _ = await every(store.runs, since=at)
    until, _ = await every(store.runs, until=at)
    between, _ = await every(store.events, since=at, until=at + 2 * STEP_S)

    assert since == list(reversed(store.ids[50:]))
    assert until == list(reversed(store.ids[:50]))
    assert len(between) == 2


async def test_the_runs_of_an_event_are_found_by_its_verdicts(reads):
    store = reads(100)
    event = (await store.events(limit=1, until=START + 10))[0].id

    (run,) = await store.runs(event=event)

    assert run.event == event


def test_an_id_that_is_made_now_sorts_behind_the_first_one_of_its_second():
    now = time.time()

    assert first_id("run", now - 1) < new_id("run") < first_id("run", now + 60)
    assert first_id("run", -5) == "run_0000000000"


@pytest.mark.parametrize(
    "narrowed",
    [
        narrowed_runs(),
        narrowed_runs(flow="a", trigger="b", status=("failed",)),
        narrowed_runs(status=("queued", "running")),
        narrowed_runs(event="evt_a"),
        narrowed_events(),
        narrowed_events(trigger="a", verdict=("filter_false",)),
        narrowed_events(source="webhook", address="/a", subject="s"),
    ],
)
def test_no_list_walks_through_a_table(tmp_path, narrowed):
    history(tmp_path / "a.db", 10)
    column = narrowed.table.c.id
    query = narrowed.query.where(column < "z", column >= "a").order_by(column.desc()).limit(50)
    compiled = query.compile(dialect=sqlite.dialect(paramstyle="named"), compile_kwargs={"literal_binds": True})
    with sqlite3.connect(tmp_path / "a.db") as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled}")]
    connection.close()

    assert not [line for line in plan if line.startswith("SCAN") and "runs_live" not in line]
    assert not [line for line in plan if "TEMP B-TREE" in line and "ORDER" in line]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T09:00:00Z", 1795424400.0),
        ("2026-11-23T10:00:00+01:00", 1795424400.0),
        ("2026-11-23 09:00", 1795424400.0),
        ("2026-11-23", 1795392000.0),
        ("0001-01-01T00:00:00+23:59", 0.0),
        ("9999-12-31T23:59:59-23:59", 253402300799.0),
        ("2h", 1000.0 - 7200),
        ("1d", 1000.0 - 86400),
    ],
)
def test_a_moment_is_an_instant_or_so_long_ago(text, expected):
    assert read_moment("since", text, 1000.0) == expected


@pytest.mark.parametrize("text", ["", "soon", "5", "2026-13-01", "2026-11-23T25:00Z", "-2h"])
def test_what_is_no_moment_is_refused_with_an_example(text):
    with pytest.raises(BadRequest, match="since") as refused:
        read_moment("since", text, 0.0)

    assert "2026-11-23T09:00:00Z" in refused.value.hint


# -- over HTTP, and by command


async def nothing_to_check():
    return {}


@pytest.fixture
async def served(tmp_path):
    """A daemon's admin API on a home with a history."""
    home = tmp_path / "home"
    (home / "flows").mkdir(parents=True)
    ids = history(home / "state/camshaft.db", 1205)
    kinds = make_kinds()
    async with open_store(home / "state/camshaft.db", token="t") as store:
        operations = Operations(home, Holder(read_home(home, kinds)), kinds, Advice(lambda: "http://h"), store=store)
        address = Address("127.0.0.1", 0)
        behind = Behind(operations, nothing_to_check)
        async with open_admin(behind, socket_path=home / "state/admin.sock", tcp=address, token="t" * 20) as where:
            yield home, where, ids


async def test_the_link_of_a_page_leads_to_the_next_one_with_all_filters(served):
    _, where, ids = served
    found, path = [], "/v1/runs?limit=500&flow=common&since=3000d"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {'t' * 20}"}) as session:
        while path:
            async with session.get(f"http://{where.tcp}{path}") as answer:
                assert answer.status == 200, await answer.text()
                found += [run["run"] for run in await answer.json()]
                following = answer.links.get("next")
                path = str(following["url"].relative()) if following else None
                assert path is None or "3000d" not in path  # so long ago is an instant from the second page on

    assert found == [run for run in reversed(ids) if run != ids[2]]


async def test_a_client_of_the_socket_reads_the_link(served):
    home, _, ids = served

    rows, following = await asyncio.to_thread(Client(home).page, "/v1/runs", {"limit": 2, "status": ("completed", "failed")})
    last, end = await asyncio.to_thread(Client(home).page, "/v1/runs", {"limit": 2, "before": ids[2], "flow": 'a<>&;," b'})

    assert [run["run"] for run in rows] == [ids[-1], ids[-2]]
    assert following == ids[-2]
    assert (last, end) == ([], None)


def listed(home: Path, *arguments: str) -> list[dict]:
    command = [str(Path(sys.executable).with_name("camshaft")), *arguments, "--home", str(home), "-o", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_a_command_goes_on_from_page_to_page(served):
    home, _, ids = served

    everything = await asyncio.to_thread(listed, home, "run", "list", "--all")
    many = await asyncio.to_thread(listed, home, "run", "list", "-n", "1100")
    rare = await asyncio.to_thread(listed, home, "event", "list", "--trigger", "rare", "--since", "2026-01-01")

    assert [run["run"] for run in everything] == list(reversed(ids))
    assert len(many) == 1100
    assert len(rare) == 1


async def test_an_id_that_narrows_a_list_may_be_cut_and_one_of_none_or_of_several_is_refused(served):
    home, _, ids = served
    event = ids[7].replace("run_", "evt_")

    def ask(which, **query):
        try:
            return [row["run"] for row in Client(home).page(f"/v1/{which}", query)[0]]
        except DaemonError as error:
            return error.message

    of_event = await asyncio.to_thread(ask, "runs", event=event[:20])
    none = await asyncio.to_thread(ask, "runs", event="evt_none")
    several = await asyncio.to_thread(ask, "events", chain="evt_0")
    elsewhere = await asyncio.to_thread(ask, "runs", before=event)

    assert of_event == [ids[7]]
    assert none == "event «evt_none» is no id of an event or a run, nor the beginning of one"
    assert "is the beginning of several ids" in several
    assert elsewhere == f"before «{event}» is no id of this list"


@pytest.mark.slow
def test_a_command_without_a_daemon_lists_the_same(tmp_path):
    ids = history(tmp_path / "state/camshaft.db", 1205)

    everything = listed(tmp_path, "run", "list", "--all", "--status", "completed", "--status", "failed")
    none = listed(tmp_path, "event", "list", "--until", "2020-01-01")

    assert [run["run"] for run in everything] == list(reversed(ids))
    assert none == []
