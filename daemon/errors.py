"""What can go wrong in the daemon and its commands, in one tree.

DaemonError
├── HomeError       the home is not there, or cannot be read or written
├── NotFound        no trigger, flow, run or event of this name
├── Conflict        what is to be added is there already, or a daemon runs already
├── BadRequest      a person or a tool asked in a way that has no meaning
├── TooLarge        a request is over a limit
├── Forbidden       no token, or a wrong one
├── SecretMissing   a secret is named that nothing provides
├── OutputFailed    standard output takes nothing: a full disk
└── Unreachable     no daemon answers, or it cannot serve this now

Definitions that are refused are flows.errors.DefinitionError, also here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class DaemonError(Exception):
    """The message is a sentence for people; `code` is for tools; `hint` is a way out."""

    code: ClassVar[str] = "FAILED"
    status: ClassVar[int] = 500  # over HTTP
    exit_status: ClassVar[int] = 1  # of a command

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)


class HomeError(DaemonError):
    """The home is not there, or cannot be read or written."""

    code = "HOME"


class NotFound(DaemonError):  # noqa: N818 - a state, told as 404
    """No trigger, flow, run or event of this name."""

    code = "NOT_FOUND"
    status = 404
    exit_status = 4


class Conflict(DaemonError):  # noqa: N818 - a state, told as 409
    """What is to be added is there already, or a daemon runs already."""

    code = "CONFLICT"
    status = 409
    exit_status = 3


class BadRequest(DaemonError):  # noqa: N818 - a state, told as 400
    """A person or a tool asked in a way that has no meaning."""

    code = "BAD_REQUEST"
    status = 400
    exit_status = 2


class TooLarge(DaemonError):  # noqa: N818 - a state, told as 413
    """A request is over a limit."""

    code = "TOO_LARGE"
    status = 413


class Forbidden(DaemonError):  # noqa: N818 - a state, told as 401
    """No token, or a wrong one."""

    code = "FORBIDDEN"
    status = 401
    exit_status = 5


class SecretMissing(DaemonError):  # noqa: N818 - a state
    """A secret is named that nothing provides. The message names it and never holds a value."""

    code = "SECRET_MISSING"


class Unreachable(DaemonError):  # noqa: N818 - a state, told as 503
    """No daemon answers, or it cannot serve this now."""

    code = "UNREACHABLE"
    status = 503
    exit_status = 5


class OutputFailed(DaemonError):  # noqa: N818 - a state
    """Standard output takes nothing: a full disk. (A reader who has had enough is a BrokenPipeError.)"""


@contextmanager
def output_told() -> Iterator[None]:
    """Around a write to standard output: its OSError says neither what failed nor where."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(f"the output cannot be written: {error.strerror}") from error
