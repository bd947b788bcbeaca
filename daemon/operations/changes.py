"""How a set of definitions is changed: one change at a time, checked as a whole, in force whole or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from daemon.home import Definitions, read_home
from daemon.operations.given import Given
from flows.errors import DefinitionError


class Changes(Given):
    """What every change of definitions goes through."""

    __slots__ = ()

    async def _look_again(self) -> None:
        """Somebody asks for what is not known: perhaps its file is new. A home that is refused stays as it is in force."""
        async with self._changing:
            after = await asyncio.to_thread(self._read)
            if self.keep_going or not after.refused:
                await self._swap(after)

    def _read(self) -> Definitions:
        return read_home(self.home, self.kinds, timezone=self.timezone, previous=self.definitions.current)

    async def _swap(self, after: Definitions) -> None:
        if self.on_change is not None:
            await self.on_change(after)
        self.definitions.current = after

    def _refuse(self, after: Definitions, file: Path) -> None:
        """Raise where the trigger in `file`, or the home as a whole, is refused."""
        own = [problem for problem in after.refused if problem.file == str(file)]
        others = [problem for problem in after.refused if problem not in own and not self.keep_going]
        if own or others:  # its own are told without the file: it is not there
            raise DefinitionError(*(replace(problem, file=None, line=None, column=None) for problem in own), *others)
