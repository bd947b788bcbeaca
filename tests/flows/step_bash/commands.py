"""What a test of commands needs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from flows.errors import StepError
from flows.step import Load, Scope


def make_load(folder: Path, warnings: list[Any] | None = None) -> Load:
    def warn(path: Any, problem: str, hint: str | None) -> None:
        if warnings is not None:
            warnings.append((path, problem, hint))

    return Load(folder, lambda _steps, _path: pytest.fail("no body"), frozenset({"$"}), warn)


def make_scope(folder: Path, dollar: Any = None, *, attempt: int = 1) -> Scope:
    names = {"$": dollar or {}, "data": None, "input": (dollar or {}).get("input", {})}
    unused: Any = None
    return Scope(names, "run_1", "step", attempt, "key-1", folder, unused, unused, unused)


async def failure(awaited: Any) -> StepError:
    with pytest.raises(StepError) as raised:
        await awaited
    return raised.value


async def gone(pid: int) -> bool:
    """Whether the process has ended, a zombie that nobody reaps included; waits for it through its pidfd."""
    try:
        number = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(number, lambda: ended.done() or ended.set_result(None))
        done, _ = await asyncio.wait((ended,), timeout=5)
        return bool(done)
    finally:
        asyncio.get_running_loop().remove_reader(number)
        os.close(number)


class Told:
    """A FIFO that a command writes its process ids to, so that a test can wait for it to have started."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "told"
        os.mkfifo(self.path)
        self.number = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    async def line(self) -> str:
        loop = asyncio.get_running_loop()
        said = b""
        while not said.endswith(b"\n"):
            readable = loop.create_future()
            loop.add_reader(self.number, lambda waiter=readable: waiter.done() or waiter.set_result(None))
            await asyncio.wait_for(readable, 5)
            loop.remove_reader(self.number)
            said += os.read(self.number, 1000)
        return said.decode().strip()
