"""A network between a client and PostgreSQL that can be cut or fall silent, also in the middle of a commit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal


class Line:
    """What goes through it, and what happens to that."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.at_commit: Literal["before", "after"] | None = None  # cut when a COMMIT comes by, or when its answer does
        self.goes_down = False  # with the cut
        self.goes_silent = False  # in place of the cut
        self.down = False  # nobody is let in
        self.silent = False  # nothing goes through any more, and nobody is told
        self.cut = 0
        self.reached = asyncio.Event()  # the COMMIT, or its answer
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._listening.close()
        self.silent = False
        self.break_all()
        await asyncio.gather(*(task for task in self._tasks if task is not None))

    def break_all(self) -> None:
        for writer in list(self._writers):
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.close()
            return
        self._tasks.add(asyncio.current_task())
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        self._writers |= {writer, there_writer}
        await asyncio.gather(
            self._carry(reader, there_writer, writer, when="before"),
            self._carry(there_reader, writer, there_writer, when="after"),
        )
        self._writers -= {writer, there_writer}
        self._tasks.discard(asyncio.current_task())

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter, *, when: str
    ) -> None:
        """One way. The server's answer to a COMMIT holds the same word as the client's question: then it is done."""
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.at_commit == when and b"COMMIT\0" in data and self._cuts():
                    break
                while self.silent:
                    await asyncio.sleep(0.01)
                writer.write(data)
                await writer.drain()
        writer.close()
        back.close()

    def _cuts(self) -> bool:
        """Whether the line is cut, and does not only fall silent."""
        self.at_commit, self.down, self.silent = None, self.goes_down, self.goes_silent
        self.cut += not self.silent
        self.reached.set()
        return not self.silent


@asynccontextmanager
async def a_line(url: str) -> AsyncIterator[tuple[Line, str]]:
    """A line to the server of this URL, and the URL by it."""
    found = re.search(r":(\d+)/", url)
    assert found is not None
    line = Line(int(found[1]))
    await line.open()
    try:
        yield line, re.sub(r":\d+/", f":{line.port}/", url, count=1)
    finally:
        await line.close()
