"""The seam of step kinds: what a kind is given at load, what it is given at run, and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel

from flows.emission import Emit, unheard
from flows.errors import StepError
from flows.usage import Usage
from flows.waiting import Resolution, Wait

if TYPE_CHECKING:
    from flows.expression import Expression
    from flows.flow import Flow
    from flows.graph import Graph
    from flows.script.question import Question


@dataclass(slots=True)  # nothing changes it; each event makes one, and frozen it takes a microsecond more
class Output:
    """What a successful attempt gives."""

    value: Any  # $.steps.<id>.output, a JSON value
    response: Any = None  # $.steps.<id>.response; None: the same as value
    usage: Usage | None = None
    branch: str | None = None  # a condition's answer, "true" or "false": which outgoing edges are live


@dataclass(slots=True)  # nothing changes it; each event makes one, and frozen it takes a microsecond more
class Ended:
    """How a flow, or a body of steps inside one, came out."""

    status: str  # completed | failed | cancelled
    steps: dict[str, dict[str, Any]]  # step id → its result, as $.steps shows it: status, output, response, error, …
    output: Any = None  # what the whole gave: the flow's `output`, else the last step's output
    error: str | None = None  # of the step that failed it: `step «fetch»: …`
    code: str | None = None


OF_THE_STEP = object()


class RunBody(Protocol):
    """Run steps inside a step: an iteration of a loop, a branch, a sub-flow. Raises StepError where the body fails."""

    async def __call__(
        self,
        body: Graph,
        *,
        mark: str = "",  # what is added to the step's path for the body's steps: "[3]" for an iteration
        loop: Mapping[str, Any] | None = None,  # merged over the outer $.loop
        inputs: Mapping[str, Any] | None = None,  # not None: a sub-flow, with a $ of its own
        subflows: Mapping[str, Flow] | None = None,  # a sub-flow's own; None: those of the flow around
        data: Any = OF_THE_STEP,  # what its first steps are given; without it, what the step that runs them is given
    ) -> Ended: ...


async def _wait_for_nothing(_wait: Wait) -> Resolution:
    """Attempts that are made outside of a run have nobody who keeps their waits."""
    raise StepError("nobody keeps a wait here", code="WAIT_UNAVAILABLE", retryable=False)


def _no_link(_due: float | None, _by: str | None) -> str | None:
    return None


def _show_nothing(_output: Any) -> None:
    """Steps that run no others have nothing to show before they end."""


@dataclass(slots=True)
class Scope:
    """All that an attempt may see and touch. Made anew for each attempt."""

    names: Mapping[str, Any]  # what expressions see: "$" ({input, steps, loop, env}), and input, steps, loop, env, data, output
    run: str  # run_…
    path: str  # the step's place in the run, as in Attempt.path
    attempt: int  # 1-based
    idempotency_key: str  # the same for every attempt of this step in this run, also after a crash
    folder: Path  # where relative paths start: the flow's folder
    run_body: RunBody
    find_flow: Callable[[str], Flow]  # a key → the flow; raises StepError FLOW_NOT_FOUND
    secret: Callable[[str], str]  # a secret's name → its value; raises StepError SECRET_MISSING
    emit: Emit = unheard  # an event → what came of it, when it is durable
    wait: Callable[[Wait], Awaitable[Resolution]] = _wait_for_nothing  # of a kind that waits: how it ended, perhaps days later
    link: Callable[[float | None, str | None], str | None] = _no_link  # when it ends, who may answer → where that can be done
    show: Callable[[Any], None] = (
        _show_nothing  # of a container: what $.steps has as its output while it runs, and may see grow; who keeps a list of it copies it
    )


@dataclass(frozen=True, slots=True)
class Load:
    """What a kind may use to check its section at load. Places it names in problems are relative to the section."""

    folder: Path
    body: Callable[[Any, tuple[str | int, ...]], Graph]  # a list of nested steps → their graph; raises DefinitionError
    roots: frozenset[str]  # the names an expression may begin with here
    warn: Callable[[tuple[str | int, ...], str, str | None], None] = field(default=lambda _path, _problem, _hint: None)
    question: Callable[[str], Expression | Question] | None = None  # compiles a condition; None: in our own language only
    mentions: Callable[[str], bool] = field(default=lambda _word: False)  # whether a word stands anywhere in the definition


class StepKind(Protocol):
    """One kind of step: one file in flows/steps and one line in STEP_KINDS.

    Three functions may be there as well: `spec_of(section)` where the fields depend on one of them (it gives the Spec to use, or
    raises DefinitionError), with it the static `specs()` for the published schema (that field, and each of its words with the Spec),
    and `example(prepared, scope)`, what a rehearsal shows in place of running (None: the section).
    """

    name: ClassVar[str]  # the step's `type`
    section: ClassVar[str]  # its field in the steps dialect: `fileRead`
    effects: ClassVar[bool]  # True: it touches the world, so its record is on disk before a dependant starts
    container: ClassVar[bool]  # True: it runs other steps
    # Where it has a true `waits` as well, run() may wait by scope.wait: it is asked once in an attempt, and first, and an attempt
    # that is cancelled there is made again, with the same number, when the run goes on.
    Settings: ClassVar[type[BaseModel]]  # [steps.<name with _>] of camshaft.toml; a model without fields where it has none
    Spec: ClassVar[type[BaseModel]]  # its section, as written (aliases as the format has them, extra fields refused)

    def prepare(self, spec: Any, load: Load) -> Any:
        """Check all that can be known now and compile it. Raises DefinitionError. What it returns is given to run()."""
        ...

    def run(self, prepared: Any, scope: Scope) -> Output | Awaitable[Output]:
        """One attempt. A plain function where nothing can suspend (it then costs a call, not a task). Raises StepError.

        Where only some steps of a kind are waited for, what prepare() gave for those has a true `suspends`.
        """
        ...

    async def close(self) -> None:
        """Let go of what is shared between attempts (a connection pool). Nothing runs any more."""
        ...
