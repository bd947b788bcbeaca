"""What the world outside wants of a run: when its time is over, that it stops; and what an earlier process knew of its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.errors import StepError
from flows.results import milliseconds
from flows.step import Ended

CLEANUP_S = 60.0  # for the handlers of a run that was cancelled or is out of time: long enough to tell a server, no second run
CANCELLED = "it was cancelled"


class Cut(BaseException):
    """A closed execution came to what is not recorded. No step may take it for its own failure, so it is no Exception."""


def is_cut(error: BaseException | None) -> bool:
    """Whether it is that, or a group of nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_cut(inner) for inner in error.exceptions)
    return isinstance(error, Cut)


@dataclass(frozen=True, slots=True)
class Limit:
    """How much time is left to a graph, and what it fails with when that is over."""

    left_s: float  # 0 or less: it is over
    message: str
    code: str

    @classmethod
    def of(cls, timeout_s: float, began: float, now: float) -> Limit:
        """A graph's own timeout, from when it began, whichever process that was."""
        message = f"the flow took longer than its timeout of {milliseconds(timeout_s)} ms"
        return cls(timeout_s - (now - began), message, "FLOW_TIMEOUT")

    def error(self) -> StepError:
        return StepError(self.message, code=self.code)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the main steps of a run came out: what its handlers see, and what is kept before they begin."""

    status: str  # completed | failed | cancelled
    step: str | None = None  # the one that failed it; None: the whole
    error: str | None = None
    code: str | None = None

    @property
    def names(self) -> dict[str, Any]:
        """What handlers see in $."""
        error = None
        if self.status != "completed":
            error = {"step": self.step, "code": self.code, "message": self.error}
        return {"status": self.status, "error": error}

    def as_json(self) -> dict[str, Any]:
        return {"status": self.status, "step": self.step, "error": self.error, "code": self.code}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Ending:
        return cls(kept["status"], kept.get("step"), kept.get("error"), kept.get("code"))

    def over(self, ended: Ended) -> Ended:
        """What it says in the place of how an execution came out."""
        output = ended.output if self.status == "completed" else None
        return Ended(self.status, ended.steps, output, self.error, self.code)


async def _keep_nowhere(_ending: Ending) -> None:
    pass


def _stays() -> bool:
    return False


@dataclass(slots=True)
class Control:
    """One run's. Who executes it fills it, and cancels the task after `cancelled` is set."""

    started_at: float | None = None  # its first start, seconds since the epoch; None: now
    finish_by: float | None = None  # when its time is over
    cancelled: str | None = None  # somebody wants it to stop: why
    ending: Ending | None = None  # an earlier process had its main steps done
    leaving: Callable[[], bool] = _stays  # True: a cancel means that another process goes on
    keep: Callable[[Ending], Awaitable[None]] = _keep_nowhere  # make that durable before handlers begin
    cleanup_s: float = CLEANUP_S

    def deadline(self, timeout_s: float | None) -> float | None:
        """When the nearer of both times is over, the graph's own one counted from the first start. None: neither ever is."""
        own = None if timeout_s is None or self.started_at is None else self.started_at + timeout_s
        return min((end for end in (own, self.finish_by) if end is not None), default=None)

    def limit(self, own: Limit | None, now: float) -> Limit | None:
        """The nearer one of the graph's own limit and the run's."""
        if self.finish_by is None or (own is not None and own.left_s <= self.finish_by - now):
            return own
        took = "" if self.started_at is None else f" of {milliseconds(self.finish_by - self.started_at)} ms"
        return Limit(self.finish_by - now, f"the run did not finish in its time{took}", "RUN_TIMEOUT")
