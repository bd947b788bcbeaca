"""The raw limit: aiohttp, orjson and three inserts with group commit, and nothing of ours.

Rows go in on the loop at the end of the tick, COMMIT runs in one thread, what arrives meanwhile joins the next group. A request
is answered when its three rows (event, step, result) are on disk. `python -m benchmarks.raw DATABASE` prints its port.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor

import orjson
import uvloop
from aiohttp import web

TABLES = (
    "CREATE TABLE events (id TEXT NOT NULL PRIMARY KEY, address TEXT, time INTEGER, document TEXT)",
    "CREATE TABLE steps (run TEXT NOT NULL, path TEXT NOT NULL, status TEXT, output TEXT, PRIMARY KEY (run, path)) WITHOUT ROWID",
    "CREATE TABLE results (run TEXT NOT NULL PRIMARY KEY, event TEXT, status TEXT, output TEXT)",
)


class Raw:
    """The least that durably takes an event and records one step."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -8192", "cache_spill = OFF"):
            self.connection.execute(f"PRAGMA {pragma}")
        for table in TABLES:
            self.connection.execute(table)
        self.thread = ThreadPoolExecutor(1)
        self.loop = asyncio.get_running_loop()
        self.waiting: list[tuple[asyncio.Future[None], tuple[object, ...], tuple[object, ...], tuple[object, ...]]] = []
        self.flushing = False
        self.numbers = itertools.count()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        event = orjson.loads(await request.read())
        number = next(self.numbers)
        event_id, run_id = f"evt_{number:026x}", f"run_{number:026x}"
        document = orjson.dumps({"id": event_id, "body": event}).decode()
        done = self.loop.create_future()
        self.waiting.append(
            (done, (event_id, request.path, 1, document), (run_id, "first", "success", "1"), (run_id, event_id, "completed", "1"))
        )
        if not self.flushing:
            self.flushing = True
            self.loop.call_soon(self.flush)
        del event, document  # their memory serves the next request
        await done
        return web.Response(body=orjson.dumps({"event": event_id, "runs": [run_id]}), status=202, content_type="application/json")

    def flush(self) -> None:
        group, self.waiting = self.waiting, []
        execute, many = self.connection.execute, self.connection.executemany
        execute("BEGIN IMMEDIATE")
        many("INSERT INTO events VALUES (?, ?, ?, ?)", [rows[1] for rows in group])
        many("INSERT INTO steps VALUES (?, ?, ?, ?)", [rows[2] for rows in group])
        many("INSERT INTO results VALUES (?, ?, ?, ?)", [rows[3] for rows in group])
        committing = self.loop.run_in_executor(self.thread, self.connection.commit)
        committing.add_done_callback(lambda _: self.committed(group))

    def committed(self, group: list) -> None:
        for done, *_ in group:
            done.set_result(None)
        if self.waiting:
            self.loop.call_soon(self.flush)
        else:
            self.flushing = False


async def main(path: str) -> None:
    raw = Raw(path)
    server = web.Server(raw.answer, access_log=None)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    print(f"hooks http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hooks", flush=True)
    gc.collect()
    gc.freeze()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
