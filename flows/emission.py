"""Events that runs give: what a step hands out, what came of it, and the form of their names."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from flows.errors import DefinitionError
from flows.suggest import shown

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,198}[A-Za-z0-9])?", re.ASCII)
NAME_RULE = "letters, digits and . _ - : / between them, at most 200 characters, like deal.enriched"


@dataclass(frozen=True, slots=True)
class EventName:
    """The name of an event that a step gives, wherever a kind keeps it in what it prepared."""

    literal: str | None  # None: it is made at run


@dataclass(frozen=True, slots=True)
class AwaitedName:
    """The name of an event that a step waits for, wherever a kind keeps it in what it prepared."""

    source: str  # `event`, or `webhook`: then it is a hook's path
    literal: str | None  # None: it is made at run


@dataclass(frozen=True, slots=True)
class Emission:
    """One event on its way out of a run."""

    name: str  # what triggers hear; passed check_event_name()
    data: Any  # JSON of its own: nothing in the run changes it any more
    subject: str | None  # None: the run itself is what it is about
    run: str  # run_…
    step: str  # the step's path in the run
    idempotency_key: str  # the same for every attempt: it happens once


@dataclass(frozen=True, slots=True)
class Emitted:
    """What came of it. When the step has it, all of it is on disk."""

    event: str | None  # evt_…; None: nobody listens, and nothing was recorded
    runs: tuple[str, ...] = ()  # the runs that it queued


Emit = Callable[[Emission], Awaitable[Emitted]]
"""Hand an event out. Returns when it is durable, and the same for the same idempotency key."""


async def unheard(_emission: Emission) -> Emitted:
    """Emit where no daemon is: nobody listens."""
    return Emitted(None)


def check_event_name(name: str) -> str:
    """The name as it is. Raises DefinitionError with an empty path."""
    if not NAME.fullmatch(name):
        raise DefinitionError.at((), f"{shown(name)} is no name of an event", NAME_RULE)
    return name
