"""The seam of JavaScript: what a script is, what it may use, and what an engine does with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Form = Literal["expression", "condition", "body", "module"]
Reference = tuple[str | int, ...]  # as flows.references has them: ("$", "steps", "fetch", "output")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one evaluation may use. Whatever goes beyond fails the attempt."""

    timeout_s: float  # of computing; a little more of the clock's time, for a busy machine
    memory_bytes: int  # of the script's values
    output_bytes: int  # of its value as JSON


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a text that is no JavaScript, and where."""

    problem: str
    offset: int | None = None  # 0-based, in characters; None: the engine does not say


@dataclass(frozen=True, slots=True)
class Reads:
    """The parts of the names that a script can reach: only these are sent to it. None: all of them."""

    roots: frozenset[str] | None = None  # of input, steps, loop, env
    steps: frozenset[str] | None = None  # of the steps, where `steps` is among the roots
    data: bool = True  # what the step before gave, under `data` and `output`


@dataclass(frozen=True, slots=True)
class Script:
    """A text that the engine found to be JavaScript, ready to be evaluated any number of times."""

    source: str
    form: Form
    references: tuple[Reference, ...] = ()
    offsets: Mapping[Reference, int] = field(default_factory=dict)  # where in the source each reference is first made
    reads: Reads = field(default_factory=Reads)
    requires: bool = False  # it may ask for modules
    words: bool = False  # it may ask how people write dates, numbers and order
    zones: tuple[str, ...] = ()  # the time zones it writes out, perhaps
    engine: str = "javascript"
    suspends: bool = True  # evaluating it is waited for


class Engine(Protocol):
    """Evaluates JavaScript on JSON data, with no way out to the host. Evaluations share nothing."""

    def check(self, source: str, form: Form) -> Mistake | None:
        """Whether a text is JavaScript. Nothing in it is run. Blocks for some milliseconds at most."""
        ...

    async def evaluate(self, script: Script, names: Mapping[str, Any], limits: Limits) -> Any:
        """The script's value as JSON has it, on the names that a step sees. The loop is not blocked.

        Raises StepError: SCRIPT_ERROR, SCRIPT_TIMEOUT, SCRIPT_MEMORY, SCRIPT_OUTPUT, SCRIPT_INPUT, SCRIPT_CRASHED.
        """
        ...

    async def close(self) -> None:
        """Let go of what is kept between evaluations."""
        ...
