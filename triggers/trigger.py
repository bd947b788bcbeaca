"""A trigger: when this happens, run that. Made by load.py from a definition, checked whole, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.expression import Expression
    from flows.selector import Selector
    from triggers.expectation import Expectation
    from triggers.mapping import Mapping


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Events for which `key` gives the same text within `ttl_s` make one run."""

    key: Selector
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds; None: without an end."""

    start_s: float | None = None  # from when a run is queued to its start
    finish_s: float | None = None  # from its first start to its end


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger definition, ready to match."""

    key: str
    type: str  # webhook | schedule | file-watch | flow
    spec: Any  # the source's own section, checked: its Spec model
    flow: str  # the key of the flow it starts
    filter: Expression | None = None  # None: every event
    mapping: Mapping | None = None  # None: the body's fields, where the body is an object
    idempotency: Idempotency | None = None
    timeouts: Timeouts | None = None  # of its runs
    enabled: bool = True
    description: str | None = None
    priority: int = 5  # 1 first … 10 last
    tests: tuple[Expectation, ...] = ()
    definition: Any = None  # the JSON it was made from, as written
    digest: str = ""  # sha256 of the canonical definition, hex: the version that a run pins
    file: Path | None = None  # None: it came through the API and is not yet a file
